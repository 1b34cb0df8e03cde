"""The charts agree with the code that they are generated from or configure."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml
from featx_api.crd import render
from featx_operator.allowed import Allowed, Tenants
from featx_operator.settings import Settings

CHARTS = Path(__file__).parents[3] / "charts"


def test_the_crd_chart_contains_the_generated_crd() -> None:
    assert (CHARTS / "featx-crds/templates/featureextractions.featx.dev.yaml").read_text() == render()


def test_the_values_satisfy_their_schema_which_covers_all_of_them() -> None:
    schema = json.loads((CHARTS / "featx/values.schema.json").read_text())
    values = yaml.safe_load((CHARTS / "featx/values.yaml").read_text())
    jsonschema.validate(values, schema)
    assert values.keys() == schema["properties"].keys() - {"global"}


@pytest.mark.parametrize(
    "bad",
    [
        {"namespaces": []},
        {"namespaces": ["Team A"]},
        {"settings": {"PATH": "x"}},
        {"settings": {"FEATX_ALLOWED": "{}"}},
        {"image": ""},
        {"imgae": "x"},
        {"allowed": {"accounts": ["a"]}},
        {"allowed": {"serviceAccounts": ["Admin"]}},
        {"allowed": {"images": ["a*b"]}},
        {"allowed": {"podIdentity": "yes"}},
        {"tenants": {"team-a": {"nodePools": ["gpu"]}}},
    ],
)
def test_invalid_values_are_rejected(bad: dict[str, object]) -> None:
    schema = json.loads((CHARTS / "featx/values.schema.json").read_text())
    values = yaml.safe_load((CHARTS / "featx/values.yaml").read_text())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(values | bad, schema)


def test_the_deployment_sets_only_variables_that_the_operator_reads() -> None:
    text = (CHARTS / "featx/templates/deployment.yaml").read_text()
    known = {f"FEATX_{name.upper()}" for name in Settings.__dataclass_fields__}
    assert set(re.findall(r"FEATX_[A-Z_]+", text)) <= known


def test_the_chart_allows_by_default_what_the_operator_does() -> None:
    values = yaml.safe_load((CHARTS / "featx/values.yaml").read_text())
    allowed = Tenants.model_validate({"allowed": values["allowed"], "tenants": values["tenants"]})
    assert allowed.allowed_in("default") == Settings().allowed.allowed_in("default")
    assert values["allowed"].keys() == {field.alias for field in Allowed.model_fields.values()}


def test_no_role_uses_a_wildcard() -> None:
    for path in (CHARTS / "featx/templates").glob("*-access.yaml"):
        assert not re.search(r"['\"]\*['\"]", path.read_text()), path.name
