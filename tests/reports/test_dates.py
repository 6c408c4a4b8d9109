"""What a date may mean: one day, two days where the order is not told, or none."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radpair.reports.dates import DAY_FIRST, MONTH_FIRST, dates

MARCH = date(2021, 3, 14)


@pytest.mark.parametrize(
    "text",
    [
        *("2021-03-14", "2021/3/14", "2021.03.14", "20210314", "20210314101112", "14.3.2021"),
        *(
            "14.03.21",
            "14-MAR-2021",
            "14-mar-21",
            "Mar-14-2021",
            "March 14th, 2021",
            "14 March 2021",
        ),
        *("14. März 2021", "14.Maerz 2021", "14 de marzo de 2021", "14 mars 2021", "14MAR2021"),
        *("2021-03-14T10:11", "Sonntag, 14.3.2021", "taken 14/3/2021", "3/14/21"),
    ],
)
def test_one_day(text: str) -> None:
    [found] = dates(text)
    assert [day for _, day in found.readings] == [MARCH]


def test_order_that_is_not_told() -> None:
    [found] = dates("on 03/04/2021.")
    assert dict(found.readings) == {DAY_FIRST: date(2021, 4, 3), MONTH_FIRST: date(2021, 3, 4)}
    [found] = dates("3-4-68")
    assert {day.year for _, day in found.readings} == {2068}


@pytest.mark.parametrize("text", ["March 2021", "2021-03", "2021-13-45", "32.01.2021", "mars 2021"])
def test_the_form_of_a_date_without_a_day(text: str) -> None:
    [found] = dates(text)
    assert (found.start, found.end, found.readings) == (0, len(text), ())


@pytest.mark.parametrize(
    "text",
    ["2021", "1614816000", "110.03.2021", "20211345", "10:30", "7.5", "3/4", "1.2.840.1.2021"],
)
def test_what_has_no_such_form(text: str) -> None:
    assert list(dates(text)) == []


@given(st.dates(date(1900, 1, 1), date(2099, 12, 31)), st.sampled_from(["%Y-%m-%d", "%d.%m.%Y"]))
def test_every_day(day: date, form: str) -> None:
    [found] = dates(f"Film of {day.strftime(form)}, unchanged")
    assert [read for _, read in found.readings] == [day]
    [found] = dates(f"{day + timedelta(0):%B %d, %Y}")
    assert [read for _, read in found.readings] == [day]
