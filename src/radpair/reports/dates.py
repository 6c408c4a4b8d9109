"""Dates in a text, by their form: in figures, and with months named in four languages.

Known are the year first (``2021-03-14``, ``20210314``), the day or the month first with ``/``,
``-`` or ``.`` between, and the names and short names of months in English, German, Spanish and
French, before or behind the day, or without one (``March 2021``, ``2021-03``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import chain

DAY_FIRST, MONTH_FIRST = "day", "month"
PIVOT = 69
"""A year of two figures is of the 1900s from here on, as in POSIX."""
_NAMES = (
    "jan january januar jänner enero ene janvier janv",
    "feb february februar febrero février fevrier févr fevr fév",
    "mar march märz maerz marz mär mrz marzo mars",
    "apr april abril abr avril avr",
    "may mai mayo",
    "jun june juni junio juin",
    "jul july juli julio juillet juil",
    "aug august agosto ago août aout",
    "sep sept september septiembre setiembre septembre",
    "oct october oktober okt octubre octobre",
    "nov november noviembre novembre",
    "dec december dezember dez diciembre dic décembre decembre déc",
)
_MONTHS = {name: number for number, names in enumerate(_NAMES, 1) for name in names.split()}
_MONTH = rf"(?:{'|'.join(sorted(_MONTHS, key=len, reverse=True))})\.?"
_YEAR = r"(?:1[89]|2[01])\d\d"
_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
_MON = r"(?:0?[1-9]|1[0-2])"
_FREE = r"(?<![\w./-])"
"""Before figures: no part of a longer number, path or version."""
_END = r"(?=T\d\d)|(?![\w/-]|\.\d)"
_ORDINAL = r"(?:st|nd|rd|th|er|\.?º|\.)?"
_OF = r"(?:of |the |de |del )?"
_BEFORE = r"(?:dated|on|from|since|of|vom|am|seit|du|le|del|el)"
_FORM = re.compile(
    "|".join(
        (
            rf"{_FREE}(?P<y1>{_YEAR})([-/.])(?P<m1>\d\d?)\2(?P<d1>\d\d?)(?:{_END})",
            rf"{_FREE}(?P<a2>\d\d?)([-/.])(?P<b2>\d\d?)\6(?P<y2>{_YEAR})(?:{_END})",
            rf"{_FREE}(?P<a3>{_DAY})([-/.])(?P<b3>{_DAY})\10(?P<y3>\d\d)(?:{_END})",
            r"(?<![\w./,-])(?P<y4>(?:19|20)\d\d)(?P<m4>0[1-9]|1[0-2])(?P<d4>0[1-9]|[12]\d|3[01])"
            r"(?:[01]\d|2[0-3])?(?:[0-5]\d){0,2}(?:\.\d{1,6})?(?![\w/-]|[.,]\d)",
            rf"(?<!\w)(?P<n5>{_MONTH})[ -]?(?P<d5>{_DAY})(?:st|nd|rd|th)?(?:, ?| |-)(?P<y5>{_YEAR})"
            r"(?!\w)",
            rf"(?<!\w)(?P<d6>{_DAY}){_ORDINAL}[ -]?{_OF}(?P<n6>{_MONTH})"
            rf"(?:, ?| |-)?{_OF}(?P<y6>{_YEAR}|(?<=-)\d\d)(?!\w)",
            rf"(?<!\w)(?:{_MONTH},? |{_MONTH}[-/]){_OF}{_YEAR}(?!\w)",
            rf"{_FREE}{_YEAR}-(?:0[1-9]|1[0-2])(?![\w/-]|\.\d)",
            rf"(?<!\w)(?:dated|on|from|since) {_MON}/{_DAY}(?![\w/]|-\d)",
            rf"(?<!\w)(?:vom|am|seit) {_DAY}\.{_MON}\.(?!\d)",
            rf"(?<!\w){_BEFORE} (?:{_MONTH} {_DAY}(?:st|nd|rd|th)?|{_DAY}{_ORDINAL} {_OF}{_MONTH})"
            rf"(?!\w|[ ,-]{{0,2}}{_OF}{_YEAR})",
        )
    ),
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Found:
    """A span of a text that has the form of a date, and what it may mean."""

    start: int
    end: int
    readings: tuple[tuple[str, date], ...] = ()
    """The days that it may name, each with what stands first where that is not told by the form
    (``DAY_FIRST``, ``MONTH_FIRST``, or empty). None: a date that names no day, or none there is."""


def dates(text: str) -> Iterator[Found]:
    """What has the form of a date in ``text``, in its order."""
    for match in _FORM.finditer(text):
        yield Found(*match.span(), _readings(match))


def _readings(match: re.Match[str]) -> tuple[tuple[str, date], ...]:
    part = {name: text for name, text in match.groupdict().items() if text}
    if "y1" in part or "y4" in part:
        kind = "1" if "y1" in part else "4"
        return _days(("", part["y" + kind], part["m" + kind], part["d" + kind]))
    if "y5" in part:
        return _days(("", part["y5"], part["n5"], part["d5"]))
    if "y6" in part:
        return _days(("", part["y6"], part["n6"], part["d6"]))
    kind = "2" if "y2" in part else "3"
    if "y" + kind not in part:
        return ()
    one, two, year = part["a" + kind], part["b" + kind], part["y" + kind]
    if match.group().count(".") == 2:
        return _days(("", year, two, one))
    return _days((DAY_FIRST, year, two, one), (MONTH_FIRST, year, one, two))


def _days(*forms: tuple[str, str, str, str]) -> tuple[tuple[str, date], ...]:
    return tuple(chain.from_iterable(_day(*form) for form in forms))


def _day(order: str, year: str, month: str, day: str) -> Iterator[tuple[str, date]]:
    number = int(year)
    if len(year) == 2:
        number += 1900 if number >= PIVOT else 2000
    name = month.lower().rstrip(".")
    try:
        yield order, date(number, _MONTHS.get(name) or int(month), int(day))
    except ValueError:  # no such day
        return
