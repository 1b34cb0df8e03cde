"""Settings from the environment."""

from __future__ import annotations

import json

import pytest
from featx_operator.allowed import Allowed
from featx_operator.settings import Settings, allowed_secrets, from_environment


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


def test_by_default_runs_may_choose_nothing_but_the_jobs_account() -> None:
    assert Settings().allowed.allowed_in("default") == Allowed(service_accounts=("featx-job",))
    assert allowed_secrets(Settings(), "default") == frozenset()


def test_what_runs_may_choose_is_read_from_json() -> None:
    tenants = {"team-a": {"allowed": {"secrets": ["team-store"]}}}
    text = json.dumps({"allowed": {"secrets": ["store"], "podIdentity": True}, "tenants": tenants})
    settings = from_environment({"FEATX_ALLOWED": text})
    assert settings.allowed.allowed_in("team-a").pod_identity
    assert allowed_secrets(settings, "team-a") == {"team-store"}
    assert allowed_secrets(settings, "team-b") == {"store"}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("yes", "the text"),
        ('{"allowed": {"nodePool": ["a"]}}', "allowed.nodePool: unknown field; did you mean nodePools"),
        ('{"allowed": {"podIdentity": "perhaps"}}', "allowed.podIdentity"),
        ('{"allowed": {"images": ["a*b"]}}', "allowed.images.0"),
        ('{"tenants": {"team-a": {"images": []}}}', "tenants.team-a.images"),
    ],
)
def test_a_mistake_in_what_is_allowed_is_named(text: str, names: str) -> None:
    with pytest.raises(ValueError, match=f"FEATX_ALLOWED: {names}"):
        from_environment({"FEATX_ALLOWED": text})


def test_priorities_are_read_by_name() -> None:
    settings = from_environment({"FEATX_PRIORITIES": "batch-high=1000, batch-low=-10"})
    assert settings.priorities == {"batch-high": 1000, "batch-low": -10}


@pytest.mark.parametrize("text", ["high", "high=", "high=much", "high=1,low"])
def test_priorities_of_another_form_are_named(text: str) -> None:
    with pytest.raises(ValueError, match=r"FEATX_PRIORITIES=.*NAME=VALUE"):
        from_environment({"FEATX_PRIORITIES": text})
