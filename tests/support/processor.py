"""CPU features of this machine, for tests of arithmetic that not every CPU supports."""

from __future__ import annotations

from pathlib import Path

import pytest

FLAGS = frozenset(Path("/proc/cpuinfo").read_text().split())

needs_integers = pytest.mark.skipif(
    "avx512_vnni" not in FLAGS, reason="this CPU has no instructions for 8-bit integers"
)
