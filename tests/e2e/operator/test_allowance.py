"""What a namespace may not choose starts nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.operator.harness import Run
from tests.unit.operator.test_allowance import LOCAL, REFUSED

CASES = REFUSED | LOCAL


@pytest.mark.parametrize(("spec", "names"), CASES.values(), ids=CASES)
def test_a_run_that_chooses_too_much_is_refused(start: Callable[..., Run], spec: dict[str, Any], names: str) -> None:
    run = start("succeed 1", **spec).until("Accepted", "False", "NotAllowed")
    assert run.condition("Accepted")["message"].startswith(names)
    assert run.state("Stalled") == ("True", "NotAllowed")
    assert (run.pods(), run.config_maps()) == ([], [])


def test_a_corrected_run_starts(start: Callable[..., Run]) -> None:
    run = start("succeed 1", priorityClassName="system-node-critical").until("Accepted", "False", "NotAllowed")
    run.change(priorityClassName=None).until("Succeeded", "True")
