"""Days from a patient's first date in place of every date in the attributes of studies.

A column is judged by all of its values: which of day and month comes first, where a single value
does not tell; and whether it is one of dates, so that what is none in it is a mistyped one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from radpair.errors import StudySetError
from radpair.graphs.tables import counted
from radpair.records import Study
from radpair.reports.dates import dates
from radpair.sources.labels import is_blank

DAYS = "_offset_days"
"""Ends the name of what was a date."""
_DATED = frozenset({"date", "dates", "datetime", "timestamp", "studydate", "examdate"})
_BORN = ("birth", "dob", "born")
_BESIDE = re.compile(
    r"(?:[\s,;.()]|T(?=\d)|\d\d?[:.h]\d\d(?:[:.]\d\d(?:[.,]\d+)?)?|\d{4}(?:\d\d)?(?:\.\d+)?(?!\d)|"
    r"[ap]\.?m\.?\b|Uhr\b|Z\b|UTC\b|GMT\b|[+-]\d\d:?\d\d|"
    r"(?:mon|tues?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:day)?\b|"
    r"(?:montag|dienstag|mittwoch|donnerstag|freitag|samstag|sonnabend|sonntag|mo|di|mi|do|fr|sa|so)\b|"
    r"(?:lunes|martes|miércoles|jueves|viernes|sábado|domingo)\b|"
    r"(?:lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche)\b)*",
    re.IGNORECASE,
)
"""What may stand beside a date that is the whole value: a time of day, its zone, a weekday."""

Readings = tuple[tuple[str, date], ...]


@dataclass(slots=True)
class _Column:
    """What the values of one attribute say together."""

    dated: int = 0
    given: int = 0
    orders: set[str] = field(default_factory=set)
    open: str = ""
    """Where the first date stands whose order is not told."""


@dataclass(slots=True)
class Days:
    """What the dates of a source mean, and what was done with them."""

    first: dict[str, date]
    """The earliest date of each patient who has one."""
    orders: Mapping[str, str]
    """Of the columns that hold dates whose order a single value does not tell."""
    columns: frozenset[str]
    """Those of dates: by their name, or because most of their values hold one."""
    became: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)

    def remarks(self) -> list[str]:
        """What became of the dates, for the summary and the manifest: columns and numbers."""
        lines = []
        if self.became:
            lines.append(f"Dates became days from the patient's first: {_listed(self.became)}.")
        if self.left_out:
            lines.append(
                "Attributes were left out that are a date of birth or hold a date of which no "
                f"number of days can be made: {_listed(self.left_out)}."
            )
        return lines


def first_dates(studies: Iterable[Study]) -> Days:
    """Reads all dates once. Raises ``StudySetError`` where the order of one cannot be told."""
    columns: dict[str, _Column] = {}
    first: dict[str, date] = {}
    unsure: dict[tuple[str, str], dict[str, date]] = {}
    for study in studies:
        for name, value in study.attributes.items():
            if is_born(name) or is_blank(value):
                continue
            column = columns.setdefault(name, _Column())
            column.given += 1
            readings = _readings(value)
            column.dated += readings is not None
            known = dict(readings or ())
            if len(set(known.values())) == 1:
                column.orders |= known.keys() - {""} if len(known) == 1 else set()
                _lower(first, study.patient_id, next(iter(known.values())))
            elif known:
                column.open = column.open or _where(study, name)
                for order, day in known.items():
                    _lower(unsure.setdefault((study.patient_id, name), {}), order, day)
    orders = {name: _order(column) for name, column in columns.items() if column.open}
    for (patient, name), days in unsure.items():
        _lower(first, patient, days[orders[name]])
    most = (name for name, column in columns.items() if 2 * column.dated > column.given)
    named = (name for name in columns if _DATED.intersection(_words(name)))
    return Days(first, orders, frozenset((*most, *named)))


def without_dates(
    studies: Iterable[Study], days: Days, remarks: list[str] | None = None
) -> Iterator[Study]:
    """The studies with days from the patient's first date in place of every date.

    Left out, and counted in ``days``: dates of birth, dates that name no day (``March 2021``),
    values with words beside a date, and in a column of dates what has the form of none. At the
    end ``remarks`` gets what became of them all.
    """
    for study in studies:
        kept: dict[str, str] = {}
        offsets: dict[str, str] = {}
        for name, value in study.attributes.items():
            readings = None if is_blank(value) else _readings(value)
            if readings:
                known = dict(readings)
                day = known.get(days.orders.get(name, ""), readings[0][1])
            if is_born(name) or readings == () or (readings is None and name in days.columns):
                days.left_out[name] += not is_blank(value)
            elif readings:
                offsets[name + DAYS] = str((day - days.first[study.patient_id]).days)
                days.became[name] += 1
            else:
                kept[name] = value
        yield replace(study, attributes=kept | offsets)
    if remarks is not None:
        remarks[:] = days.remarks()


def _readings(value: str) -> Readings | None:
    """The days that a value may name; none where no offset can be made; None without a date."""
    found = list(dates(value))
    if not found:
        return None
    beside = value[: found[0].start] + " " + value[found[-1].end :]
    whole = len(found) == 1 and _BESIDE.fullmatch(beside)
    return found[0].readings if whole else ()


def _lower(days: dict[str, date], key: str, day: date) -> None:
    days[key] = min(day, days.get(key, day))


def _where(study: Study, name: str) -> str:
    row = "" if study.row is None else f", row {study.row}"
    return f"study '{study.study_id}'{row}: its attribute '{name}'"


def _order(column: _Column) -> str:
    """Which of day and month comes first. Raises ``StudySetError``."""
    if len(column.orders) == 1:
        return next(iter(column.orders))
    why = (
        "other values have the day first and others the month"
        if column.orders
        else "no value of the column tells which comes first"
    )
    raise StudySetError(
        f"{column.open} holds a date whose day and month could be exchanged, and {why}; write "
        "dates as YYYY-MM-DD, or leave the column out"
    )


def is_born(name: str) -> bool:
    """Whether an attribute is called like a date of birth."""
    return any(word.startswith(_BORN) for word in _words(name))


def _words(name: str) -> list[str]:
    """``StudyDate_DICOM``: study, date, dicom."""
    return [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)]


def _listed(counts: Counter[str]) -> str:
    return ", ".join(
        f"{name} ({counted(count, 'value')})" for name, count in sorted(counts.items()) if count
    )
