"""Stratified splits: shares within strata, patients whole, the same whatever the order."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from gradients import Gradients
from hypothesis import given, settings
from hypothesis import strategies as st

from radpair.errors import StudySetError
from radpair.records import SPLITS, Study
from radpair.studyset import StudySet, write
from radpair.studyset.splits import place_of
from radpair.studyset.strata import Stratum, strata_of, stratified

pytestmark = pytest.mark.usefixtures("small_parts")
VALUES = st.sampled_from((1.0, 0.0, -1.0, math.nan))
FRACTIONS = st.sampled_from(((0.8, 0.1, 0.1), (0.7, 0.1, 0.2), (0.5, 0.0, 0.5), (1.0, 0.0, 0.0)))
LABELS = ("Edema", "Mass")


@st.composite
def cohorts(draw: st.DrawFn) -> list[Study]:
    rows = draw(st.lists(st.tuples(st.integers(0, 40), VALUES, VALUES), min_size=1, max_size=90))
    return [
        Study(f"s{n}", f"p{who}", (), labels={"Edema": edema, "Mass": mass})
        for n, (who, edema, mass) in enumerate(rows)
    ]


def slow_strata(studies: list[Study]) -> dict[str, tuple[str, ...]]:
    """What is said of each patient, in words."""
    words = {}
    for patient in {study.patient_id for study in studies}:
        said = []
        for label in LABELS:
            values = [s.labels[label] for s in studies if s.patient_id == patient]
            for value, word in ((1.0, "present"), (-1.0, "uncertain"), (0.0, "absent")):
                if value in values:
                    said.append(word)
                    break
            else:
                said.append("not given")
        words[patient] = tuple(said)
    return words


@settings(max_examples=150, deadline=None)
@given(cohorts(), FRACTIONS, st.integers(0, 2**32), st.randoms())
def test_every_split_has_its_share_of_every_stratum(
    studies: list[Study], fractions: tuple[float, ...], seed: int, rng: random.Random
) -> None:
    strata = strata_of(studies, LABELS)
    slow = slow_strata(studies)
    groups: dict[tuple[str, ...], set[str]] = {}
    for patient, words in slow.items():
        groups.setdefault(words, set()).add(patient)
    assert len({(strata[p], slow[p]) for p in slow}) == len(groups) == len(set(strata.values()))

    splits = stratified(strata, seed, fractions)
    assert splits.keys() == slow.keys()  # one split a patient
    for members in groups.values():
        counts = Counter(splits[patient] for patient in members)
        for name, share in zip(SPLITS, fractions, strict=True):
            assert abs(counts[name] - share * len(members)) < 1 + 1e-9
        places = [[place_of(p, seed) for p in members if splits[p] == name] for name in SPLITS]
        assert [place for split in places for place in sorted(split)] == sorted(
            place_of(p, seed) for p in members
        )
    rng.shuffle(studies)
    assert stratified(strata_of(studies, LABELS), seed, fractions) == splits


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(st.text("abc", max_size=4), st.tuples(st.integers(0, 3)), max_size=60),
    st.text("xy", min_size=1, max_size=4),
    st.tuples(st.integers(0, 3)),
    FRACTIONS,
)
def test_a_new_patient_moves_at_most_one_across_each_boundary(
    strata: dict[str, Stratum], new: str, stratum: Stratum, fractions: tuple[float, ...]
) -> None:
    before = stratified(strata, 3, fractions)
    after = stratified({**strata, new: stratum}, 3, fractions)
    moved = [patient for patient in before if after[patient] != before[patient]]
    assert all(strata[patient] == stratum for patient in moved)
    for boundary in (1, 2):
        crossed = [
            p
            for p in moved
            if (SPLITS.index(before[p]) < boundary) != (SPLITS.index(after[p]) < boundary)
        ]
        assert len(crossed) <= 1


def test_small_strata_fall_to_every_split() -> None:
    """Rounding each to the nearest would give every stratum of one to train."""
    strata = {f"p{n}": (n,) for n in range(4000)}
    counts = Counter(stratified(strata, 0, (0.8, 0.1, 0.1)).values())
    assert abs(counts["train"] - 3200) < 120
    assert abs(counts["validate"] - 400) < 80


def test_the_split_is_fixed_for_ever() -> None:
    """A change of the order or of the bounds would move patients of sets made before."""
    strata = {f"p{n}": (n % 3, n % 2) for n in range(18)}
    splits = stratified(strata, 5, (0.6, 0.2, 0.2))
    assert "".join(splits[f"p{n}"][:2] for n in range(18)) == FIXED


FIXED = "tetrtrtrvatrtrtrtevatevavatetrtrtrtr"


class Rare(Gradients):
    """One patient in twelve has the finding; no official split."""

    def __init__(self, count: int = 240, backwards: bool = False) -> None:
        super().__init__(count, faults=False)
        self.backwards = backwards

    def studies(self) -> Iterator[Study]:
        numbers = range(self.count)
        for number in reversed(numbers) if self.backwards else numbers:
            rare = float(number // 3 % 12 == 0 and number % 3 == 1)
            yield replace(self.study(number), split="", labels={"Rare": rare})


def test_a_set_is_written_stratified(tmp_path: Path) -> None:
    options = {"size": 32, "fractions": (0.5, 0.25, 0.25), "stratify": ("Rare", "Rare")}
    write(Rare(), tmp_path / "set", processes=1, **options)
    found = StudySet.open(tmp_path / "set")
    assert found.manifest["options"]["stratify"] == ["Rare"]
    rare = {p for p, v in zip(found.patient_ids, found.labels[:, 0], strict=True) if v == 1}
    assert len(rare) == 7
    for name, share in zip(SPLITS, options["fractions"], strict=True):
        members = {found.patient_ids[study] for study in found.split(name)}
        assert abs(len(rare & members) - share * 7) < 1
        assert abs(len(members) - share * 80) < 2
    write(Rare(backwards=True), tmp_path / "back", processes=2, **options)
    back = StudySet.open(tmp_path / "back")
    assert dict(zip(back.study_ids, back.splits, strict=True)) == dict(
        zip(found.study_ids, found.splits, strict=True)
    )
    assert not np.array_equal(back.splits, found.splits)
    with pytest.raises(StudySetError, match=r"options\.stratify was \['Rare'\] and is now None"):
        write(Rare(), tmp_path / "set", size=32, fractions=(0.5, 0.25, 0.25))


def test_pseudonyms_decide_where_there_are_some(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("0123456789abcdef0123")
    write(Rare(), tmp_path / "set", size=32, processes=1, stratify=["Rare"], key=key)
    found = StudySet.open(tmp_path / "set")
    strata = strata_of(Rare().studies(), ["Rare"])
    from radpair.studyset.privacy import Pseudonyms

    names = Pseudonyms.read(key, tmp_path / "set")
    shown = {names.patient(patient): stratum for patient, stratum in strata.items()}
    splits = stratified(shown, 0, (0.8, 0.1, 0.1))
    assert [splits[patient] for patient in found.patient_ids] == found.splits.tolist()


def test_official_splits_stay_and_the_rest_is_divided(tmp_path: Path) -> None:
    write(Gradients(90, faults=False), tmp_path / "set", size=32, stratify=["Effusion"])
    found = StudySet.open(tmp_path / "set")
    for patient, split in zip(found.patient_ids, found.splits, strict=True):
        if int(patient[1:]) % 10 == 0:
            assert split == "test"
    strata = strata_of(Gradients(90).studies(), ["Effusion"])
    assert not any(int(patient[1:]) % 10 == 0 for patient in strata)


def test_what_cannot_be_stratified_is_refused(tmp_path: Path) -> None:
    class Official(Rare):
        def studies(self) -> Iterator[Study]:
            return (replace(study, split="test") for study in super().studies())

    class Bare(Rare):
        def studies(self) -> Iterator[Study]:
            return (replace(study, labels={}) for study in super().studies())

    with pytest.raises(StudySetError, match="no study has the label 'Rar'; did you mean 'Rare'"):
        write(Rare(), tmp_path / "a", size=32, processes=1, stratify=["Rar"])
    with pytest.raises(StudySetError, match="'Rare'; the source gives no labels"):
        write(Bare(), tmp_path / "b", size=32, processes=1, stratify=["Rare"])
    with pytest.raises(StudySetError, match=r"every patient a split.*leave out --stratify"):
        write(Official(), tmp_path / "c", size=32, processes=1, stratify=["Rare"])
