"""Settings from the environment."""

from __future__ import annotations

import pytest
from featx_operator.settings import Settings, from_environment


def test_without_variables_the_defaults_apply() -> None:
    assert from_environment({}) == Settings()


def test_variables_are_parsed_by_their_types() -> None:
    settings = from_environment(
        {"FEATX_NAMESPACES": "team-a, team-b", "FEATX_BACKOFF_SECONDS": "0.5", "FEATX_WORKERS": "2"}
    )
    assert (settings.namespaces, settings.backoff_seconds, settings.workers) == (("team-a", "team-b"), 0.5, 2)


@pytest.mark.parametrize("name", ["FEATX_WORKERS", "FEATX_LEASE_SECONDS"])
def test_a_variable_that_is_not_a_number_is_named(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name}='many'"):
        from_environment({name: "many"})
