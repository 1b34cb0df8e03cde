"""The runs of schedules, reduced to what decisions need, and the last known version of each schedule.

Whoever may create runs may name any owner. So a run counts if the schedule's uid controls it, in the schedule's own
namespace, and a time in its name counts only if it has passed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from featx_api.schedule import RUN_NOW_ANNOTATION, SCHEDULE_KIND

from featx_operator.objects import Body, Controller, Key, Owner, controller_of, essential, key_of, owner_from
from featx_operator.state.store import RESOURCE_LIMIT
from featx_operator.state.words import EPOCH, time_of

RUN_NOW_LIMIT = 128  # characters of the annotation; longer ones are ignored


@dataclass(frozen=True)
class ScheduledRun:
    """A FeatureExtraction that a schedule controls.

    Attributes:
        scheduled_at: The time that its name says it was due at, or None.
        result: How it ended, or empty while it is active.
        ended_at: When it ended, if known.
        deleting: Whether somebody has deleted it, and a finalizer keeps it.
    """

    name: str
    uid: str
    version: int = 0
    created: datetime = EPOCH
    scheduled_at: datetime | None = None
    result: Literal["", "Succeeded", "Failed"] = ""
    ended_at: datetime | None = None
    deleting: bool = False


def schedule_of(run: Body) -> Owner | None:
    """The schedule that controls a run, or None."""
    controller = controller_of(run)
    if controller is None or controller.kind != SCHEDULE_KIND:
        return None
    return Owner(Key(run["metadata"]["namespace"], controller.name), controller.uid)


def is_run_of(run: Body, schedule: Owner) -> bool:
    """Whether a schedule controls a run."""
    return controller_of(run) == Controller(SCHEDULE_KIND, schedule.key.name, schedule.uid)


def scheduled_run_from(body: Body, schedule: str) -> ScheduledRun:
    """Reduces a run to what its schedule needs.

    Args:
        body: The run.
        schedule: Name of the schedule.
    """
    metadata, status = body["metadata"], body.get("status") or {}
    conditions = {item.get("type"): item.get("status") for item in status.get("conditions") or ()}
    results: dict[Any, Literal["Succeeded", "Failed"]] = {"True": "Succeeded", "False": "Failed"}
    return ScheduledRun(
        name=metadata["name"],
        uid=metadata["uid"],
        version=int(metadata.get("resourceVersion") or 0),
        created=time_of(metadata.get("creationTimestamp")) or EPOCH,
        scheduled_at=time_in_name(schedule, metadata["name"]),
        result=results.get(conditions.get("Succeeded"), ""),
        ended_at=time_of(status.get("completionTime")),
        deleting=bool(metadata.get("deletionTimestamp")),
    )


def name_at(schedule: str, due: datetime) -> str:
    """The name of the run that is due at a time: the minutes since 1970, as CronJob names Jobs."""
    return f"{schedule}-{int(due.timestamp()) // 60}"


def time_in_name(schedule: str, name: str) -> datetime | None:
    """The time that a run was due at, by its name; None for other names."""
    match = re.fullmatch(rf"{re.escape(schedule)}-([1-9][0-9]{{7}})", name)
    return datetime.fromtimestamp(int(match[1]) * 60, UTC) if match else None


class ScheduleStore:
    """Schedules by key, and their runs by owner; an older version never replaces a newer one."""

    def __init__(self) -> None:
        self._schedules: dict[Key, Body] = {}
        self._runs: dict[Owner, dict[str, ScheduledRun]] = {}

    def schedule(self, key: Key) -> Body | None:
        """The schedule, or None if it does not exist. It has no spec if it is too large to be stored."""
        return self._schedules.get(key)

    def put_schedule(self, body: Body) -> None:
        """Stores a schedule."""
        key = key_of(body)
        last = self._schedules.get(key)
        if last and owner_from(last) != owner_from(body):
            self.drop_schedule(key)
        elif last and _version(last) > _version(body):
            return
        reduced = reduced_schedule(body)
        if len(json.dumps(reduced)) > RESOURCE_LIMIT:
            reduced = {"metadata": reduced["metadata"]}
        self._schedules[key] = reduced
        self._runs.setdefault(owner_from(body), {})

    def drop_schedule(self, key: Key, uid: str | None = None) -> None:
        """Removes a schedule and its runs, unless the key belongs to another uid by now."""
        last = self._schedules.get(key)
        if last is not None and uid in (None, last["metadata"]["uid"]):
            del self._schedules[key]
            self._runs.pop(owner_from(last), None)

    def runs(self, owner: Owner) -> tuple[ScheduledRun, ...]:
        """The runs of a schedule."""
        return tuple(self._runs.get(owner, {}).values())

    def put_run(self, body: Body) -> Key | None:
        """Stores a run; returns the key of its schedule, or None if it has no known one."""
        owner = schedule_of(body)
        if owner is None or owner not in self._runs:
            return None
        run = scheduled_run_from(body, owner.key.name)
        last = self._runs[owner].get(run.uid)
        if last is None or last.version <= run.version:
            self._runs[owner][run.uid] = run
        return owner.key

    def drop_run(self, body: Body) -> Key | None:
        """Removes a run; returns the key of its schedule, or None if it has no known one."""
        owner = schedule_of(body)
        if owner is None or self._runs.get(owner, {}).pop(body["metadata"]["uid"], None) is None:
            return None
        return owner.key

    def replace_runs(self, owner: Owner, runs: Iterable[ScheduledRun]) -> None:
        """Replaces all runs of a known schedule by a list from the API server."""
        if owner not in self._runs:
            return
        newer = self._runs[owner]  # the watch did not wait for the list
        self._runs[owner] = {run.uid: max(run, newer.get(run.uid, run), key=lambda one: one.version) for run in runs}


def reduced_schedule(body: Body) -> Body:
    """A schedule without what no decision needs."""
    reduced = dict(essential(body))
    kept = {"creationTimestamp": body["metadata"].get("creationTimestamp")}
    value = (body["metadata"].get("annotations") or {}).get(RUN_NOW_ANNOTATION, "")
    if 0 < len(value) <= RUN_NOW_LIMIT:
        kept["annotations"] = {RUN_NOW_ANNOTATION: value}
    return {**reduced, "metadata": {**reduced["metadata"], **kept}}


def _version(body: Body) -> int:
    return int(body["metadata"].get("resourceVersion") or 0)
