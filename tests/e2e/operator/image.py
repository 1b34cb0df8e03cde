"""The scripted driver's image."""

from __future__ import annotations

from pathlib import Path

from examples.cluster import Build

FOLDER = Path(__file__).parent / "scripted_driver"
SCRIPTED_DRIVER = Build("localhost/featx/scripted-driver:dev", FOLDER / "Dockerfile", FOLDER)
VARIABLE = "FEATX_SCRIPTED_DRIVER"  # its name in the cluster, if that differs
