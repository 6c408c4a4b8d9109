"""Seeded splits with the same share of some labels in each of them, by patient.

A patient's stratum is what the patient's studies say of each label: present in any of them, else
uncertain, else absent, else not given. Within a stratum the patients stand in the order of their
seeded hash, the one that ``splits.split_of`` compares with the fractions, and the first are
trained on, the next validate, the rest test. Of ``n`` patients ``floor(n * f + u)`` stand before
a boundary at the share ``f``, with ``u`` in [0, 1) a seeded hash of the stratum. So each split
has its share of a stratum to within one patient, and small strata fall to every split in turn,
not all to the largest.

What stays when data is added: the order of the earlier patients, always. A new patient moves
nobody of another stratum, and of its own at most one patient across each of the two boundaries.
A new study moves its patient to another stratum only where it raises what is said of a label.
"""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from radpair.errors import StudySetError, nearest
from radpair.records import ABSENT, PRESENT, SPLITS, UNCERTAIN, Study
from radpair.studyset.splits import place_of

RANK = {ABSENT: 1, UNCERTAIN: 2, PRESENT: 3}
"""What outweighs what among a patient's studies; not given is 0."""

Stratum = tuple[int, ...]


def strata_of(studies: Iterable[Study], labels: Sequence[str]) -> dict[str, Stratum]:
    """The stratum of every patient whose source gives no split.

    A patient who has an official split in any study is left out. Raises ``StudySetError`` for a
    label that no study knows, and where there is no patient to divide.
    """
    found: dict[str, Stratum] = {}
    official: set[str] = set()
    known: dict[str, None] = {}
    for study in studies:
        known.update(dict.fromkeys(study.labels))
        if study.split:
            official.add(study.patient_id)
            continue
        here = tuple(RANK.get(study.labels.get(name, math.nan), 0) for name in labels)
        before = found.get(study.patient_id, here)
        found[study.patient_id] = tuple(map(max, before, here))
    for name in labels:
        if name not in known and (found or official):
            hint = nearest(name, known) if known else "; the source gives no labels"
            raise StudySetError(f"--stratify: no study has the label '{name}'{hint}")
    divided = {patient: stratum for patient, stratum in found.items() if patient not in official}
    if official and not divided:
        raise StudySetError(
            "--stratify: the source gives every patient a split, so none is to be divided; leave "
            "out --stratify"
        )
    return divided


def stratified(
    strata: Mapping[str, Stratum],
    seed: int,
    fractions: Sequence[float],
    name_of: Callable[[str], str] = str,
) -> dict[str, str]:
    """The split of every patient of ``strata``, whatever their order.

    ``name_of`` gives the name whose hash decides (a pseudonym).
    """
    members: dict[Stratum, list[tuple[float, str, str]]] = defaultdict(list)
    for patient, stratum in strata.items():
        name = name_of(patient)
        members[stratum].append((place_of(name, seed), name, patient))
    splits: dict[str, str] = {}
    for stratum, patients in members.items():
        first, second = bounds(stratum, len(patients), seed, fractions)
        for rank, (_, _, patient) in enumerate(sorted(patients)):
            splits[patient] = SPLITS[(rank >= first) + (rank >= second)]
    return splits


def bounds(stratum: Stratum, size: int, seed: int, fractions: Sequence[float]) -> tuple[int, int]:
    """How many of a stratum's patients stand before the end of train and of validate."""
    digest = hashlib.sha256(f"{seed}:stratum:{stratum}".encode()).digest()
    shift = int.from_bytes(digest[:6], "big") / 2**48
    ends = (fractions[0], fractions[0] + fractions[1])
    first, second = (_end(size, share, shift) for share in ends)
    return first, second


def _end(size: int, share: float, shift: float) -> int:
    if share >= 1 or math.isclose(share, 1):
        return size
    return min(size, math.floor(size * share + shift)) if share > 0 else 0
