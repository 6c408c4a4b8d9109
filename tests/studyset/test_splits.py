"""Splits by a seeded hash of the patient."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radpair.errors import StudySetError
from radpair.records import SPLITS
from radpair.studyset.splits import check_disjoint, split_of

FRACTIONS = (0.7, 0.1, 0.2)


def test_shares_are_near_the_fractions() -> None:
    drawn = [split_of(f"patient {n}", 4, FRACTIONS) for n in range(20_000)]
    for name, share in zip(SPLITS, FRACTIONS, strict=True):
        assert abs(drawn.count(name) / 20_000 - share) < 0.015


def test_split_is_fixed_for_ever() -> None:
    """A change of the hash would move patients between splits of sets made before."""
    assert [split_of(f"p{n}", 0, (0.5, 0.25, 0.25)) for n in range(8)] == FIXED


FIXED = ["test", "test", "train", "test", "train", "train", "test", "train"]


@given(st.text(max_size=20), st.integers(0, 2**32))
def test_split_depends_on_patient_and_seed_alone(patient: str, seed: int) -> None:
    """Defect 8: the split is by patient, never by image."""
    assert split_of(patient, seed, FRACTIONS) == split_of(patient, seed, list(FRACTIONS))
    assert split_of(patient, seed, (1.0, 0.0, 0.0)) == "train"
    assert split_of(patient, seed, (0.0, 0.0, 1.0)) == "test"


def test_seeds_draw_differently() -> None:
    draws = [[split_of(f"p{n}", seed, FRACTIONS) for n in range(50)] for seed in range(3)]
    assert draws[0] != draws[1] != draws[2]


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(SPLITS)), max_size=12))
def test_disjointness_agrees_with_sets(rows: list[tuple[str, str]]) -> None:
    patients, splits = [p for p, _ in rows], [s for _, s in rows]
    leaks = any(len({s for p, s in rows if p == patient}) > 1 for patient in patients)
    if leaks:
        with pytest.raises(StudySetError, match="in two splits"):
            check_disjoint("set", patients, splits)
    else:
        check_disjoint("set", patients, splits)
