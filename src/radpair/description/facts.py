"""The figures of a study set: counts by split, people, reports, labels, what was left out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from radpair.records import ABSENT, PRESENT, SPLITS, UNCERTAIN
from radpair.studyset import StudySet, content_hash
from radpair.studyset.manifest import IMAGES, NEAR_DUPLICATES
from radpair.studyset.tables import TRIMMED

SHOWN = 50
"""Near duplicates that are listed; all are counted."""
NOT_KNOWN = "not known"
QUARTERS = (25, 50, 75)
_SEXES = {"f": "F", "female": "F", "w": "F", "m": "M", "male": "M"}
_AGE = re.compile(r"0*(\d{1,3})(?:\.\d+)?(?: ?(y|years?|yrs?))?", re.I)
_OLDEST = 130
_PARTICULAR = re.compile(r"(?<=duplicate) of .*| ?\([^()]*\)| ?'[^']*'")
_LONGEST = 120
"""Characters of a kind of reason."""

Facts = dict[str, Any]


def describe(studies: StudySet) -> Facts:
    """The figures of ``studies`` as JSON values; reads the tables and no pixels.

    ``splits``, ``views``, ``sexes``, ``ages``, ``words`` and ``labels`` count studies (views:
    images) in each of the splits that hold any. An age is taken from the attribute ``age`` in
    years, a sex from ``sex`` or ``gender``. ``trimmed`` is None where no borders were to be cut.
    """
    used = [name for name in SPLITS if (studies.splits == name).any()]
    facts = [_lowered(studies.attributes(study)) for study in range(len(studies))]
    sexes = [_sex(fact) for fact in facts]
    ages = [_age(fact) for fact in facts]
    words = [len(report.split()) or None for report in studies.reports]
    positions = [name or NOT_KNOWN for name in studies.positions]
    return {
        "name": str(studies.place),
        "source": studies.manifest["source"]["name"],
        "options": studies.manifest["options"],
        "radpair": studies.manifest["radpair"],
        "hash": content_hash(studies),
        "has_graphs": studies.has_graphs,
        "counts": studies.manifest["counts"],
        "splits": {name: _split(studies, name) for name in used},
        "empty_splits": [name for name in SPLITS if name not in used],
        "views": _shares(positions, studies.splits[studies.image_study].tolist(), used),
        "sexes": _shares(sexes, studies.splits.tolist(), used),
        "ages": _spread(ages, studies.splits, used, 10),
        "words": _spread(words, studies.splits, used),
        "labels": _labels(studies, used),
        "quarantine": _quarantine(studies),
        "near": _near(studies),
        "trimmed": _trimmed(studies),
        "remarks": studies.manifest.get("remarks", []),
    }


def _split(studies: StudySet, name: str) -> dict[str, int]:
    members = studies.split(name)
    return {
        "studies": len(members),
        "patients": len({studies.patient_ids[study] for study in members}),
        "images": int(studies.image_count[members].sum()),
        "reports": sum(bool(studies.reports[study]) for study in members),
    }


def _lowered(attributes: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value.strip() for name, value in attributes.items()}


def _sex(fact: Mapping[str, str]) -> str:
    value = fact.get("sex") or fact.get("gender") or fact.get("patientsex") or ""
    return _SEXES.get(value.lower(), value[:20] or NOT_KNOWN)


def _age(fact: Mapping[str, str]) -> int | None:
    """Whole years; None where the age is missing or no number of years."""
    found = _AGE.fullmatch(fact.get("age", ""))
    years = int(found[1]) if found else None
    return years if years is not None and years <= _OLDEST else None


def _shares(
    values: Sequence[str], splits: Sequence[str], used: Sequence[str]
) -> dict[str, dict[str, int]]:
    """How often each value stands in each split, the most frequent first, the unknown last."""
    pairs = Counter(zip(values, splits, strict=True))
    totals = Counter(values)
    order = sorted(totals, key=lambda value: (value == NOT_KNOWN, -totals[value], value))
    return {value: {name: pairs[value, name] for name in used} for value in order}


def _spread(
    values: Sequence[int | None], splits: Any, used: Sequence[str], width: int | None = None
) -> Facts:
    """Quartiles of each split, and a histogram of steps of ``width`` (a round one if None)."""
    known = np.array([value is not None for value in values], bool)
    numbers = np.array([value or 0 for value in values], np.int64)
    quartiles = {}
    for name in used:
        mine = numbers[known & (splits == name)]
        quartiles[name] = [float(q) for q in np.percentile(mine, QUARTERS)] if len(mine) else None
    if not known.any():
        return {"given": 0, "quartiles": quartiles, "width": width or 1, "bins": []}
    width = width or _width(int(np.percentile(numbers[known], 99)))
    last = int(numbers[known].max()) // width
    last = min(last, 24)  # what lies beyond stands in the last step
    place = np.minimum(numbers // width, last)
    bins = [
        {name: int((known & (splits == name) & (place == step)).sum()) for name in used}
        for step in range(last + 1)
    ]
    return {"given": int(known.sum()), "quartiles": quartiles, "width": width, "bins": bins}


def _width(most: int) -> int:
    """The least round step of which twenty reach ``most``."""
    steps = (unit * 10**power for power in range(9) for unit in (1, 2, 5))
    return next((step for step in steps if 20 * step > most), most)


def _labels(studies: StudySet, used: Sequence[str]) -> list[Facts]:
    found = []
    for column, name in enumerate(studies.label_names):
        row: Facts = {"name": name}
        for split in used:
            values = studies.labels[studies.splits == split, column]
            row[split] = {
                "present": int((values == PRESENT).sum()),
                "absent": int((values == ABSENT).sum()),
                "uncertain": int((values == UNCERTAIN).sum()),
                "studies": len(values),
            }
        found.append(row)
    return found


def _quarantine(studies: StudySet) -> list[Facts]:
    """Reasons with their numbers, the most frequent first."""
    rows = studies.quarantine().to_pylist()
    counted = Counter((row["kind"], kind_of(row["reason"], row["path"])) for row in rows)
    order = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    return [{"kind": kind, "reason": reason, "count": n} for (kind, reason), n in order]


def kind_of(reason: str, path: str) -> str:
    """A reason without what is particular to one file: its path, sizes, names, remedy."""
    words = reason.removeprefix(f"{path}: ")
    first = _PARTICULAR.sub("", words.split(";")[0])
    first = " ".join(re.sub(r"\d(?:[\d,.]*\d)?", "N", first).split())
    return first[:_LONGEST] or words[:_LONGEST]


def _near(studies: StudySet) -> Facts:
    if NEAR_DUPLICATES not in studies.manifest["files"]:
        return {"count": 0, "pairs": {}, "rows": []}
    rows = pq.read_table(studies.path / NEAR_DUPLICATES).to_pylist()
    pairs = Counter(f"{row['like_split']} and {row['split']}" for row in rows)
    return {"count": len(rows), "pairs": dict(pairs), "rows": rows[:SHOWN]}


def _trimmed(studies: StudySet) -> Facts | None:
    """How many images lost a frame, and the mean share of their area that it took."""
    if not studies.manifest["options"].get("trim_borders"):
        return None
    table = pq.read_table(studies.path / IMAGES, columns=[TRIMMED.name])
    cut = np.asarray(table[TRIMMED.name], np.float64)
    cut = cut[cut > 0]
    return {"count": len(cut), "share": float(cut.mean()) if len(cut) else 0.0}


def share(count: int, total: int) -> float | None:
    """A fraction; None of nothing."""
    return count / total if total else None


def given(label: Mapping[str, Any], splits: Iterable[str]) -> bool:
    """Whether any study of ``splits`` says something of the label."""
    return any(
        label[split]["present"] + label[split]["absent"] + label[split]["uncertain"]
        for split in splits
    )


def prevalence(cell: Mapping[str, int]) -> float | None:
    """The share of present among present and absent; None where neither is given."""
    return share(cell["present"], cell["present"] + cell["absent"])
