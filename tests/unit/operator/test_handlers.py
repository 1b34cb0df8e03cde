"""What kopf is told."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from featx_operator.handlers import operator_settings
from featx_operator.settings import Settings


def test_a_watch_that_is_refused_is_tried_for_ever() -> None:
    backoffs = operator_settings(Settings()).networking.error_backoffs
    assert isinstance(backoffs, Iterable)
    assert len(list(islice(backoffs, 1000))) == 1000
    assert len(list(islice(backoffs, 1000))) == 1000  # and again, for the next watch


def test_nothing_is_asked_for_outside_of_the_namespaces() -> None:
    settings = operator_settings(Settings())
    assert settings.scanning.disabled
    assert settings.peering.standalone
    assert not settings.posting.enabled
