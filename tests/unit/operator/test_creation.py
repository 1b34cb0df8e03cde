"""Classification of the API server's refusals, and the rule of adoption."""

from __future__ import annotations

from typing import Any

import pytest
from featx_operator.cluster.creation import refusal_of, refuse_replacement
from featx_operator.cluster.transport import ApiError


@pytest.mark.parametrize(
    ("status", "message", "reason"),
    [
        (403, 'pods "a" is forbidden: exceeded quota: team, requested: memory=2Gi, used: …', "QuotaExceeded"),
        (403, 'pods "a" is forbidden: violates PodSecurity "restricted:latest"', "DriverRefused"),
        (403, 'pods "a" is forbidden: error looking up service account default/featx-job', "DriverRefused"),
        (422, 'Pod "a" is invalid: spec.containers[0].image', "DriverRefused"),
    ],
)
def test_a_refusal_is_classified_by_its_cause(status: int, message: str, reason: str) -> None:
    refusal = refusal_of(ApiError(status, message))
    assert (refusal.reason, refusal.message) == (reason, message)


@pytest.mark.parametrize(
    ("owners", "reason"),
    [
        ([{"uid": "u-1", "kind": "FeatureExtraction", "controller": True}], None),
        ([{"uid": "u-0", "kind": "FeatureExtraction", "controller": True}], "PreviousRunTerminating"),
        ([{"uid": "u-1", "kind": "FeatureExtraction"}], "NameTaken"),
        ([{"uid": "j-1", "kind": "Job", "controller": True}], "NameTaken"),
        ([], "NameTaken"),
    ],
)
def test_only_the_runs_own_children_may_be_replaced(owners: list[dict[str, Any]], reason: str | None) -> None:
    owned = [{"name": "catalog", **owner} for owner in owners]
    refusal = refuse_replacement("Pod", {"metadata": {"name": "catalog-1-driver", "ownerReferences": owned}}, "u-1")
    assert (refusal.reason if refusal else None) == reason
