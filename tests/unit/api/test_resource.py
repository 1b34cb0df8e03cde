"""The models refuse what the API server refuses, with messages that name the field."""

from __future__ import annotations

import pytest
from featx_api.resource import FeatureExtraction
from pydantic import ValidationError

from tests.support.bad_resources import BAD, Bad, changed, good


def test_a_complete_resource_survives_a_round_trip() -> None:
    resource = FeatureExtraction.model_validate(good())
    assert FeatureExtraction.model_validate(resource.to_wire()) == resource


@pytest.mark.parametrize("bad", BAD, ids=[bad.id for bad in BAD])
def test_a_bad_resource_is_refused_naming_the_field(bad: Bad) -> None:
    with pytest.raises(ValidationError) as refusal:
        FeatureExtraction.model_validate(changed(bad.path, bad.value))
    assert bad.names in str(refusal.value)


def test_secrets_and_claims_are_named_once_each() -> None:
    spec = FeatureExtraction.model_validate(changed("spec.output", {"uri": "claim://disk/a"})).spec
    assert (spec.secret_names(), spec.claim_names()) == (["store"], ["disk"])
