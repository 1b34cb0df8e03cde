"""Events of a schedule, derived from the difference of two statuses: each once, after its status is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from featx_api.schedule import FeatureExtractionScheduleStatus
from featx_api.text import shortened_to_bytes

from featx_operator.decisions import reasons
from featx_operator.decisions.events import NOTE_LIMIT, Event
from featx_operator.state.scheduled import ScheduledRun


def schedule_events(
    before: FeatureExtractionScheduleStatus, after: FeatureExtractionScheduleStatus, runs: Sequence[ScheduledRun]
) -> list[Event]:
    """The Events of one change of a schedule's status.

    Args:
        before: The status as it was.
        after: The status as it is now.
        runs: The schedule's runs.
    """
    return [event._replace(note=shortened_to_bytes(event.note, NOTE_LIMIT)) for event in _events(before, after, runs)]


def _events(
    before: FeatureExtractionScheduleStatus, after: FeatureExtractionScheduleStatus, runs: Sequence[ScheduledRun]
) -> Iterator[Event]:
    results = {run.uid: run.result for run in runs}
    still = {run.uid for run in after.active}
    for run in before.active:
        if run.uid not in still and len(after.active) == after.active_runs:
            result = results.get(run.uid)
            yield Event("Normal", reasons.RUN_FINISHED, f"{run.name}: {result}" if result else f"{run.name} is gone")
    if after.last_missed_time and after.last_missed_time != before.last_missed_time:
        due = f"{after.last_missed_time:%Y-%m-%dT%H:%M:%SZ}"
        yield Event("Warning", reasons.MISSED_SCHEDULE, f"the run of {due} could not start in time")
    if after.last_schedule_time and after.last_schedule_time != before.last_schedule_time:
        due = f"{after.last_schedule_time:%Y-%m-%dT%H:%M:%SZ}"
        yield Event("Normal", reasons.RUN_STARTED, f"started the run of {due}")
    if after.last_run_now != before.last_run_now:
        yield Event("Normal", reasons.RUN_STARTED, "started a run as the annotation featx.dev/run-now asks")
    old, new = ({condition.type: condition for condition in status.conditions} for status in (before, after))
    ready, was = new.get("Ready"), old.get("Ready")
    if ready is None or (was and (was.status, was.reason) == (ready.status, ready.reason)):
        return
    if ready.status != "True":
        yield Event("Warning", ready.reason, ready.message or ready.reason)
    elif ready.reason != reasons.SCHEDULED:
        yield Event("Normal", ready.reason, ready.message or ready.reason)
    elif was and was.reason == reasons.SUSPENDED:
        yield Event("Normal", reasons.RESUMED, "runs start again")
