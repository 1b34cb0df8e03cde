"""How often progress is written to the status: at most once per interval, except at the end.

A driver annotates its pod every few seconds. Writing each of those would cost a request per run, and a watch event per
client. The status carries the time of the last write, so a restarted operator keeps the interval too.
"""

from __future__ import annotations

from featx_api.status import Executors, Progress

from featx_operator.decisions.run import Run, whole
from featx_operator.decisions.status import validated_copy
from featx_operator.state.observed import Pod


def reported(driver: Pod | None) -> Progress | None:
    """The progress that a driver last reported, or None."""
    return driver.progress if driver else None


def final_progress(run: Run) -> Progress | None:
    """The last known progress of an attempt that ends."""
    latest = reported(run.driver)
    if latest is None or _same(latest, run.before.progress):
        return run.before.progress
    return stamped(run, latest)


def throttled(run: Run, executors: Executors) -> tuple[Progress | None, Executors, float | None]:
    """The progress and executors to report now, and the seconds until newer ones may be reported.

    Args:
        run: The run.
        executors: The current ones. They are held back together with progress, so that a thousand executors becoming
            ready one by one do not cause a thousand writes.
    """
    before, latest = run.before.progress, reported(run.driver)
    changed = latest is not None and not _same(latest, before)
    if not changed and executors == run.before.executors:
        return before, executors, None
    last = before.last_update_time if before else None
    wait = run.settings.progress_seconds - run.seconds_since(last)
    if before is not None and last is not None and wait > 0:
        return before, run.before.executors or executors, wait
    newest = latest if latest is not None else before
    return (stamped(run, newest) if newest else None), executors, None


def stamped(run: Run, progress: Progress) -> Progress:
    """The progress with the time of its writing."""
    return validated_copy(progress, last_update_time=whole(run.now))


def _same(one: Progress, other: Progress | None) -> bool:
    return other is not None and validated_copy(one, last_update_time=other.last_update_time) == other
