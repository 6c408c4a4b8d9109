"""A study set without the ids and dates of its source: keyed hashes and offsets in days.

An id becomes the first 128 bits of its HMAC-SHA256 (RFC 2104) under the user's key, in 32 hex
digits; the same id and key give the same pseudonym in every set. Who holds the key can find a
known patient again; without it, nobody can try ids one by one. The key is read, used and never
stored. Reports are left as they are: ``radpair scan`` tells what still stands in them.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass, field, replace
from pathlib import Path

from radpair.errors import StudySetError
from radpair.records import Study

LENGTH = 32
"""Hex digits of a pseudonym."""
SHORTEST_KEY = 16
"""Bytes."""


@dataclass(frozen=True, slots=True)
class Pseudonyms:
    """Replaces what names a patient or a study."""

    key: bytes = field(repr=False)
    remarks: list[str] = field(default_factory=list, repr=False, compare=False)
    """What became of dates, for the summary."""

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
        pairs = {study.patient_id: self.patient(study.patient_id), study.study_id: name}
        pairs[study.views[place].path] = f"{name}/{place}"
        old = sorted((re.escape(old) for old in pairs if old), key=len, reverse=True)
        return re.sub(rf"(?<!\w)(?:{'|'.join(old)})(?!\w)", lambda found: pairs[found[0]], words)

    def _attribute(self, study: Study, value: str) -> str:
        if value == study.study_id:
            return self.study(value)
        return self.patient(value) if value == study.patient_id else value

    def _hash(self, kind: str, name: str) -> str:
        return hmac.digest(self.key, f"{kind}\0{name}".encode(), "sha256").hex()[:LENGTH]
