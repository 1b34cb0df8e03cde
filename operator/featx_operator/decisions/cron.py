"""When a schedule is due: cron expressions in a time zone, as Debian's cron reads them.

A time that the change to daylight saving time skips is made up for right after it; one that occurs twice counts once.
An expression whose minutes or hours begin with `*` follows elapsed time instead.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

from cronsim import CronSim, CronSimError

MACROS: Final = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
#: No zone has ever changed its clocks by more, save where the date line has moved. Within it, local times repeat.
LARGEST_CHANGE: Final = timedelta(hours=2)
FIELDS: Final = 5
MACHINE_ZONES: Final = {"Factory", "localtime", "posixrules"}  # whatever the operator's image has


class CronError(ValueError):
    """An expression or time zone has no meaning; the message has the field, the value and the way out."""


class Cron:
    """A cron expression in a time zone.

    Args:
        expression: Five fields, or one of `MACROS`.
        zone: Name of a time zone in the tz database.

    Raises:
        CronError: Either is not valid.
    """

    def __init__(self, expression: str, zone: str) -> None:
        if zone not in _zones():
            raise CronError(f"spec.timeZone: {zone} is not in the tz database: use a name such as Europe/Berlin")
        self._zone = zoneinfo.ZoneInfo(zone)
        self._expression = MACROS.get(expression, expression)
        text = f"spec.schedule: {expression}"
        if len(self._expression.split()) != FIELDS:
            raise CronError(f"{text} must have five fields: minute, hour, day of month, month and day of week")
        try:
            next(self._times(datetime.now(UTC)))
        except CronSimError as error:
            message = str(error).removeprefix("Bad ")
            raise CronError(f"{text} is not valid: correct its {message}") from None
        except (AssertionError, ValueError, TypeError, IndexError):  # such as a step after MON#2
            raise CronError(f"{text} is not valid: see `man 5 crontab`") from None
        except StopIteration:
            raise CronError(f"{text} never comes: correct its day of month, month or day of week") from None

    def after(self, time: datetime) -> datetime | None:
        """The first due time after a time, in UTC; None if there is none in 50 years."""
        return next((due for due in self._times(time - LARGEST_CHANGE) if due > time), None)

    def until(self, time: datetime) -> datetime | None:
        """The last due time that is not after a time, in UTC; None if there was none in 50 years."""
        return next((due for due in self._times(time + LARGEST_CHANGE, reverse=True) if due <= time), None)

    def _times(self, start: datetime, reverse: bool = False) -> Iterator[datetime]:
        """Yields due times in UTC. Near a change of the clocks, the first may be on the other side of the start."""
        for local in CronSim(self._expression, start.astimezone(self._zone), reverse):
            yield local.astimezone(UTC)  # two times of one zone would be compared by their local clocks


@lru_cache(1)
def _zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones()) - MACHINE_ZONES
