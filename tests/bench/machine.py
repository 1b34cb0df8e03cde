"""The machine that numbers were measured on, as every bench writes it into its JSON and above its table."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def described() -> str:
    """Returns cores, processor and kernel in one line."""
    return f"{os.cpu_count()} cores, {_processor()}, {platform.system()} {platform.release()}"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()
