"""Images of the tests: the scripted driver, and the operator as it is installed."""

from __future__ import annotations

import os
from pathlib import Path

from examples.cluster import Build, featx

FOLDER = Path(__file__).parent / "scripted_driver"
SCRIPTED_DRIVER = Build("localhost/featx/scripted-driver:dev", FOLDER / "Dockerfile", FOLDER)
VARIABLE = "FEATX_SCRIPTED_DRIVER"  # its name in the cluster, if that differs
OPERATOR_VARIABLE = "FEATX_OPERATOR_IMAGE"  # the name of the operator's image, if that differs
OPERATOR_IMAGE = os.environ.get(OPERATOR_VARIABLE, featx.OPERATOR.tag)
