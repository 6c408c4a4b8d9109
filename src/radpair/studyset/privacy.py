"""A study set without the ids and dates of its source: keyed hashes and offsets in days.

An id becomes the first 128 bits of its HMAC-SHA256 (RFC 2104) under the user's key, in 32 hex
digits; the same id and key give the same pseudonym in every set. Who holds the key can find a
known patient again; without it, nobody can try ids one by one. The key is read, used and never
stored. Reports are left as they are: ``radpair scan`` tells what still stands in them.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path

from radpair.errors import StudySetError
from radpair.records import Study

LENGTH = 32
"""Hex digits of a pseudonym."""
SHORTEST_KEY = 16
"""Bytes."""
DAYS = "_offset_days"
"""Ends the name of what was a date."""
_FORMS = ("%Y-%m-%d", "%Y%m%d", "%Y/%m/%d", "%d.%m.%Y", "%B %d, %Y", "%d %B %Y", "%b %d, %Y")
_DATED = frozenset({"date", "dates", "datetime", "timestamp", "studydate", "examdate"})
_BORN = ("birth", "dob", "born")
_SLASHED = re.compile(r"\d{1,2}[/-]\d{1,2}[/-]\d{2,4}")


@dataclass(frozen=True, slots=True)
class Pseudonyms:
    """Replaces what names a patient or a study."""

    key: bytes = field(repr=False)

    @classmethod
    def read(cls, file: Path, out: Path) -> Pseudonyms:
        """The key is the content of ``file``, white space at its ends left out.

        Raises ``StudySetError`` for a missing or short key and for one inside the set ``out``.
        """
        if file.resolve().is_relative_to(out.resolve()):
            raise StudySetError(
                f"{file}: the key lies in the study set that it protects; keep it elsewhere"
            )
        try:
            key = file.read_bytes().strip()
        except OSError as error:
            raise StudySetError(
                f"{file}: the key cannot be read ({error.strerror or error}); make one with "
                f"'openssl rand -hex 32 > {file}'"
            ) from error
        if len(key) < SHORTEST_KEY:
            raise StudySetError(
                f"{file}: the key has {len(key)} bytes where {SHORTEST_KEY} are the least; make "
                f"one with 'openssl rand -hex 32 > {file}'"
            )
        return cls(key)

    def options(self) -> dict[str, str]:
        """What the manifest says of them; ``key_check`` tells another key, and no more."""
        return {
            "ids": f"HMAC-SHA256, {LENGTH} hex digits",
            "dates": "days from the patient's first date",
            "key_check": self._hash("check", "radpair")[:8],
        }

    def patient(self, patient_id: str) -> str:
        """The pseudonym of a patient."""
        return self._hash("patient", patient_id)

    def study(self, study_id: str) -> str:
        """The pseudonym of a study."""
        return self._hash("study", study_id)

    def shown(self, study: Study) -> Study:
        """The study as it is stored; its images are named by its pseudonym and their place."""
        name = self.study(study.study_id)
        views = tuple(
            replace(view, path=f"{name}/{place}", fault=self.reason(study, place, view.fault))
            for place, view in enumerate(study.views)
        )
        attributes = {key: self._attribute(study, value) for key, value in study.attributes.items()}
        patient = self.patient(study.patient_id)
        return replace(study, study_id=name, patient_id=patient, views=views, attributes=attributes)

    def reason(self, study: Study, place: int, words: str) -> str:
        """A sentence about one image, without the ids and the path of its source."""
        name = self.study(study.study_id)
        pairs = {
            study.views[place].path: f"{name}/{place}",
            study.study_id: name,
            study.patient_id: self.patient(study.patient_id),
        }
        for old, new in pairs.items():
            if old:
                words = re.sub(rf"(?<!\w){re.escape(old)}(?!\w)", new, words)
        return words

    def _attribute(self, study: Study, value: str) -> str:
        if value == study.study_id:
            return self.study(value)
        return self.patient(value) if value == study.patient_id else value

    def _hash(self, kind: str, name: str) -> str:
        return hmac.digest(self.key, f"{kind}\0{name}".encode(), "sha256").hex()[:LENGTH]


def first_dates(studies: Iterable[Study]) -> dict[str, date]:
    """The earliest date of each patient who has one. Raises ``StudySetError``."""
    first: dict[str, date] = {}
    for study in studies:
        for day in _dates(study).values():
            if day is not None:
                first[study.patient_id] = min(day, first.get(study.patient_id, day))
    return first


def without_dates(studies: Iterable[Study], first: Mapping[str, date]) -> Iterator[Study]:
    """The studies with days from the patient's first date in place of every date.

    Dates of birth, and dates that name no day (``2017``), are left out.
    """
    for study in studies:
        dates = _dates(study)
        kept = {
            name: value
            for name, value in study.attributes.items()
            if name not in dates and not _born(name)
        }
        for name, day in dates.items():
            if day is not None:
                kept[name + DAYS] = str((day - first[study.patient_id]).days)
        yield replace(study, attributes=kept)


def _dates(study: Study) -> dict[str, date | None]:
    """The attributes that hold a date by their name or by their value; None without a day."""
    found: dict[str, date | None] = {}
    for name, value in study.attributes.items():
        if _born(name):
            continue
        day = _day(value)
        if day is None and _SLASHED.fullmatch(value.split(" ")[0]):
            row = "" if study.row is None else f", row {study.row}"
            raise StudySetError(
                f"study '{study.study_id}'{row}: its attribute '{name}' holds a date whose day "
                "and month could be exchanged; write dates as YYYY-MM-DD, or leave the column out"
            )
        if day is not None or _DATED.intersection(_words(name)):
            found[name] = day
    return found


def _born(name: str) -> bool:
    return any(word.startswith(_BORN) for word in _words(name))


def _words(name: str) -> list[str]:
    """``StudyDate_DICOM``: study, date, dicom."""
    return [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)]


def _day(value: str) -> date | None:
    """The day that a value names, with or without a time of day behind it."""
    text = re.split(r"(?<=\d)[T ](?=\d\d:)", value.strip(), maxsplit=1)[0]
    if text.isdecimal() and len(text) != len("YYYYMMDD"):
        return None
    for form in _FORMS:
        try:
            day = datetime.strptime(text, form).date()
        except ValueError:
            continue
        return day if 1800 <= day.year <= 2300 else None
    return None
