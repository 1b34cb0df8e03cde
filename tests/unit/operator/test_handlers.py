"""kopf's settings."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

import kopf
from featx_operator.handlers import operator_settings
from featx_operator.settings import Settings


def test_a_refused_watch_is_retried_forever() -> None:
    backoffs = operator_settings(Settings()).networking.error_backoffs
    assert isinstance(backoffs, Iterable)
    assert len(list(islice(backoffs, 1000))) == 1000
    assert len(list(islice(backoffs, 1000))) == 1000  # and again, for the next watch


def test_kopf_needs_no_permissions_outside_the_namespaces() -> None:
    settings = operator_settings(Settings())
    assert settings.scanning.disabled
    assert settings.peering.standalone
    assert not settings.posting.enabled


def test_kopf_reads_no_annotation_that_anybody_may_write() -> None:
    storage = operator_settings(Settings()).persistence.diffbase_storage
    annotations = {"kopf.zalando.org/last-handled-configuration": "{"}
    body = kopf.Body({"metadata": {"name": "catalog", "annotations": annotations}})
    assert storage.fetch(body=body) is None
    assert storage.build(body=body) == {}


def test_nobody_can_guess_the_finalizer_that_kopf_would_remove() -> None:
    first, second = (operator_settings(Settings()).persistence.finalizer for _ in range(2))
    assert first != second
