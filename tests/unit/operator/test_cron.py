"""When a schedule is due, in time zones and over changes of the clocks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from featx_operator.decisions.cron import Cron, CronError
from hypothesis import given, settings
from hypothesis import strategies as st

ZONES = ["Etc/UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "America/Havana"]
EXPRESSIONS = [
    "* * * * *",
    "*/15 * * * *",
    "30 2 * * *",
    "0 */4 * * *",
    "5 0 * * *",
    "0 3 1,15 * *",
    "0 3 13 * FRI",
    "10 1 29 2 *",
    "@daily",
    "@monthly",
    "0 0 L * *",
    "15 2 * * SUN#1",
]
TIMES = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))


def local(expression: str, zone: str, start: str, count: int) -> list[str]:
    """Due times after a start, as the zone's clocks show them."""
    cron, time, shown = Cron(expression, zone), datetime.fromisoformat(start).replace(tzinfo=ZoneInfo(zone)), []
    time = time.astimezone(UTC)
    for _ in range(count):
        due = cron.after(time)
        assert due is not None
        time = due
        shown.append(f"{time.astimezone(ZoneInfo(zone)):%m-%d %H:%M %z}")
    return shown


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(EXPRESSIONS), st.sampled_from(ZONES), TIMES)
def test_times_rise_and_the_last_one_is_the_one_before_the_next(expression: str, zone: str, now: datetime) -> None:
    cron = Cron(expression, zone)
    last, after = cron.until(now), cron.after(now)
    assert last is not None and after is not None
    assert last <= now < after
    assert cron.after(last) == after
    assert cron.until(last) == last
    assert cron.until(after) == after


def test_a_time_that_the_clocks_skip_is_made_up_for_right_after() -> None:
    assert local("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00", 2) == ["03-29 03:00 +0200", "03-30 02:30 +0200"]


def test_a_time_that_occurs_twice_counts_once() -> None:
    assert local("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00", 2) == ["10-25 02:30 +0200", "10-26 02:30 +0100"]
    second = datetime(2026, 10, 25, 1, 15, tzinfo=UTC)  # 02:15 for the second time
    cron = Cron("30 2 * * *", "Europe/Berlin")
    assert cron.until(second) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert cron.after(second) == datetime(2026, 10, 26, 1, 30, tzinfo=UTC)


def test_what_comes_each_hour_follows_elapsed_time() -> None:
    assert local("0 * * * *", "America/New_York", "2026-11-01T00:30", 3) == [
        "11-01 01:00 -0400",
        "11-01 01:00 -0500",
        "11-01 02:00 -0500",
    ]


def test_every_day_of_two_years_has_one_run_in_each_zone() -> None:
    for zone in ZONES:
        cron, time = Cron("30 2 * * *", zone), datetime(2025, 12, 31, 12, tzinfo=UTC)
        times = [time := due for _ in range(731) if (due := cron.after(time))]
        days = [due.astimezone(ZoneInfo(zone)).date() for due in times]
        assert all(later - earlier == timedelta(days=1) for earlier, later in pairwise(days)), zone


def test_both_days_are_alternatives_as_in_cron() -> None:
    assert local("0 0 13 * FRI", "Etc/UTC", "2026-11-01T00:00", 3) == [
        "11-06 00:00 +0000",
        "11-13 00:00 +0000",
        "11-20 00:00 +0000",
    ]


@pytest.mark.parametrize(
    ("expression", "zone", "field"),
    [
        ("61 * * * *", "Etc/UTC", "minute"),
        ("* * * * * *", "Etc/UTC", "five fields"),
        ("* * *", "Etc/UTC", "five fields"),
        ("0 0 31 2 *", "Etc/UTC", "spec.schedule"),
        ("0 0 * 2 MON#5/2", "Etc/UTC", "spec.schedule"),
        ("0 0 30 2 *", "Europe/Berlin", "spec.schedule"),
        ("*/0 * * * *", "Etc/UTC", "minute"),
        ("99999999999999999999999999 * * * *", "Etc/UTC", "minute"),
        ("0 0 * * 1L2", "Etc/UTC", "spec.schedule"),
        (",,,, * * * *", "Etc/UTC", "minute"),
        ("@reboot", "Etc/UTC", "five fields"),
        ("@daily", "Europe/Atlantis", "spec.timeZone"),
        ("@daily", "../../etc/passwd", "spec.timeZone"),
        ("@daily", "America", "spec.timeZone"),
        ("@daily", "localtime", "spec.timeZone"),
    ],
)
def test_what_has_no_meaning_is_refused_with_its_field(expression: str, zone: str, field: str) -> None:
    with pytest.raises(CronError, match=field.replace(".", "[.]")):
        Cron(expression, zone)


@settings(max_examples=100, deadline=None)
@given(st.from_regex(r"[0-9A-Z*/,#-]{1,9}( [0-9A-Z*/,#-]{1,9}){4}", fullmatch=True))
def test_any_expression_is_either_refused_or_comes(expression: str) -> None:
    try:
        cron = Cron(expression, "Etc/UTC")
    except CronError:
        return
    assert cron.after(datetime(2026, 1, 1, tzinfo=UTC))
