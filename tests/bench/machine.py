"""Describes the machine that a benchmark ran on, for its JSON and its page."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def described() -> str:
    """Cores, processor and kernel in one line."""
    return f"{os.cpu_count()} cores, {_processor()}, {platform.system()} {platform.release()}"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()
