"""Every example is a valid resource."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from featx_api.schedule import FeatureExtractionSchedule
from featx_api.spec import FeatureExtractionSpec
from featx_api.vision_model import VisionModel

FOLDER = Path(__file__).resolve().parents[3] / "examples"
EXAMPLES = sorted([*FOLDER.glob("*.yaml"), *FOLDER.glob("gitops/teams/*/*.yaml")])


@pytest.mark.parametrize("path", EXAMPLES, ids=[path.name for path in EXAMPLES])
def test_every_example_is_accepted_by_the_api(path: Path) -> None:
    body = yaml.safe_load(path.read_text())
    assert body["apiVersion"] == "featx.dev/v1alpha1"
    if body["kind"] == "FeatureExtractionSchedule":
        FeatureExtractionSchedule.from_wire(body)
    elif body["kind"] == "VisionModel":
        VisionModel.from_wire(body)
    else:
        assert body["kind"] == "FeatureExtraction"
        FeatureExtractionSpec.model_validate(body["spec"])
