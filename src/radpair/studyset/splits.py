"""Who is trained on and who is tested on: one split a patient, always."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence

from radpair.errors import StudySetError
from radpair.records import SPLITS


def split_of(patient_id: str, seed: int, fractions: Sequence[float]) -> str:
    """The split of a patient without an official one: a seeded hash of the id alone.

    It does not depend on the other patients, so adding data moves nobody.
    """
    place = place_of(patient_id, seed)
    if place < fractions[0]:
        return SPLITS[0]
    return SPLITS[1] if place < fractions[0] + fractions[1] else SPLITS[2]


def place_of(patient_id: str, seed: int) -> float:
    """A number in [0, 1) that depends on the patient's id and the seed alone."""
    digest = hashlib.sha256(f"{seed}:{patient_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def check_fractions(fractions: Sequence[float]) -> tuple[float, float, float]:
    """Three shares (train, validate, test), none negative, that sum to 1.

    Raises ``StudySetError``.
    """
    shares = tuple(float(share) for share in fractions)
    if len(shares) != 3 or min(shares) < 0 or not math.isclose(sum(shares), 1.0, abs_tol=1e-6):
        raise StudySetError(
            f"split fractions {shares} must be three shares (train, validate, test) that sum to "
            "1; give for example 0.8 0.1 0.1"
        )
    return shares[0], shares[1], shares[2]


class PatientSplits:
    """Remembers each patient's split and refuses a second one."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._known: dict[str, str] = {}

    def add(self, patient_id: str, split: str, study_id: str) -> None:
        """Raises ``StudySetError`` naming the patient when the split is another than before."""
        if split not in SPLITS:
            raise StudySetError(
                f"{self._where}: study '{study_id}' has the split '{split}', which is none of "
                f"{', '.join(SPLITS)}; correct its source"
            )
        before = self._known.setdefault(patient_id, split)
        if before != split:
            raise StudySetError(
                f"{self._where}: patient '{patient_id}' is in two splits, {before} and {split} "
                f"(study '{study_id}'); give all studies of the patient one split, or leave the "
                "split to radpair"
            )

    def __len__(self) -> int:
        return len(self._known)


def check_disjoint(where: str, patients: Iterable[str], splits: Iterable[str]) -> None:
    """Asserts that no patient is in two splits. Raises ``StudySetError`` naming the first."""
    known = PatientSplits(where)
    for row, (patient, split) in enumerate(zip(patients, splits, strict=True)):
        known.add(patient, split, f"number {row}")
