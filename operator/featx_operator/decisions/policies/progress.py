"""How often progress reaches the status: at most once per interval, except at the end.

A driver annotates its pod every few seconds; passing each one on would cost a write and a watch event to every client,
for each run. What is written carries the time of writing, so a restarted operator keeps the interval too.
"""

from __future__ import annotations

from featx_api.status import Executors, Progress

from featx_operator.decisions.run import Run, whole
from featx_operator.state.observed import Pod


def reported(driver: Pod | None) -> Progress | None:
    """Returns the driver's last report, or None without one."""
    return driver.progress if driver else None


def final_progress(run: Run) -> Progress | None:
    """Returns the last that is known, for a run that ends."""
    latest = reported(run.observed.driver(run.attempt))
    if latest is None or _same(latest, run.before.progress):
        return run.before.progress
    return _stamped(run, latest)


def throttled(run: Run, executors: Executors) -> tuple[Progress | None, Executors, float | None]:
    """Returns the progress and executors to report now, and the seconds until newer ones may be reported.

    Args:
        run: the run.
        executors: as they are now. They are held back together with progress: a thousand executors that become ready
            one by one are not a thousand writes.
    """
    before, latest = run.before.progress, reported(run.observed.driver(run.attempt))
    changed = latest is not None and not _same(latest, before)
    if not changed and executors == run.before.executors:
        return before, executors, None
    last = before.last_update_time if before else None
    wait = run.settings.progress_seconds - run.seconds_since(last)
    if before is not None and last is not None and wait > 0:
        return before, run.before.executors or executors, wait
    newest = latest if latest is not None else before
    return (_stamped(run, newest) if newest else None), executors, None


def _stamped(run: Run, progress: Progress) -> Progress:
    return progress.model_copy(update={"last_update_time": whole(run.now)})


def _same(one: Progress, other: Progress | None) -> bool:
    return other is not None and one.model_copy(update={"last_update_time": other.last_update_time}) == other
