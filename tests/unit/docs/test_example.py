"""The example in README.md is the file that the demo runs."""

from __future__ import annotations

import re

import yaml
from featx_cli import resource_file

from tools.version import ROOT


def test_the_readme_pins_the_models_of_the_demo() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    (shown,) = (yaml.safe_load(block) for block in blocks)
    spec = resource_file.document(ROOT / "examples" / "catalog.yaml")["spec"]
    for part in ("detector", "extractor"):
        assert shown["spec"][part]["model"] == spec[part]["model"]
