"""Decodes 100,000 mutated images in one JVM. `make bench WHAT=fuzz` prints what became of them, and fails on a defect.

`dev.featx.image.DecoderFuzzTest` is the same in short, as a unit test.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig

from featx_cli.java_build import JAVA_SOURCE

FILES = 100_000
JOB_IMAGE = {"MALLOC_ARENA_MAX": "2"}  # as in the Dockerfile


def main() -> int:
    """Runs the decoders; returns Maven's exit code."""
    site = sysconfig.get_paths()["purelib"]
    command = ["mvn", "--quiet", "--batch-mode", "-f", str(JAVA_SOURCE / "pom.xml"), f"-Dfeatx.site={site}"]
    options = ["-Dtest=DecoderFuzzTest", f"-Dfeatx.fuzz={FILES}", "test"]
    return subprocess.run([*command, *options], env={**os.environ, **JOB_IMAGE}).returncode


if __name__ == "__main__":
    sys.exit(main())
