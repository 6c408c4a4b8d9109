"""The films: the same every time, at any size, with every finding where the truth says."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from radpair.errors import ImageError
from radpair.phantom.anatomy import anatomy
from radpair.phantom.frame import resized
from radpair.phantom.render import render
from radpair.phantom.truth import KINDS, Acquisition, Exam, Finding, exams

PATIENTS = [exam for exam in exams(80, seed=11) if exam.number == 0]
STEADY = Acquisition("PA", rotation=0.0, inspiration=0.6, exposure=0.0, noise=0.1, seed=4)
SIDED = [k for k, kind in KINDS.items() if "left" in kind.sides and k != "central_line"]


def finding(kind: str, severity: float, side: str = "", zone: str = "", seed: int = 21) -> Finding:
    facts = KINDS[kind]
    return Finding(
        kind=kind,
        side=side or facts.sides[0],
        severity=severity,
        zone=zone or (facts.zones[-1] if facts.zones else ""),
        size_mm=float(np.mean(facts.sizes_mm)) if facts.sizes_mm else 0.0,
        detail=facts.details[0] if facts.details else "",
        seed=seed,
    )


def film(exam: Exam, *findings: Finding, size: int = 160) -> NDArray[np.float64]:
    return render(replace(exam, findings=findings), 0, size).astype(float)


def steady(number: int, position: str = "PA") -> Exam:
    return replace(PATIENTS[number], acquisitions=(replace(STEADY, position=position),))


def change(exam: Exam, found: Finding, size: int = 160) -> NDArray[np.float64]:
    return np.abs(film(exam, found, size=size) - film(exam, size=size))


def centroid(energy: NDArray[np.float64]) -> tuple[float, float]:
    """Column and row of the middle of ``energy``, each 0 to 1."""
    weight = np.where(energy > 0.25 * energy.max(), energy, 0)
    rows, columns = np.mgrid[: len(energy), : len(energy)] / len(energy)
    return float((columns * weight).sum() / weight.sum()), float(
        (rows * weight).sum() / weight.sum()
    )


@pytest.mark.parametrize("exam", PATIENTS[:6], ids=lambda exam: exam.study_id)
def test_film_is_the_same_every_time(exam: Exam) -> None:
    np.testing.assert_array_equal(render(exam, 0, 96), render(exam, 0, 96))


def test_another_process_draws_the_same_bytes() -> None:
    program = """
import hashlib, cv2
from radpair.phantom.render import render
from radpair.phantom.truth import exams
cv2.setNumThreads(1)
films = [render(exam, 0, 112).tobytes() for exam in exams(6, seed=2)]
print(hashlib.sha256(b"".join(films)).hexdigest())
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    here = b"".join(render(exam, 0, 112).tobytes() for exam in exams(6, seed=2))
    assert done.stdout.strip() == hashlib.sha256(here).hexdigest()


def test_film_depends_on_body_film_and_findings_only() -> None:
    exam = PATIENTS[2]
    other = replace(exam, study_id="x", patient_id="y", seed=exam.seed + 1, labels={}, previous=())
    np.testing.assert_array_equal(render(exam, 0, 96), render(other, 0, 96))
    retaken = replace(exam, acquisitions=(replace(exam.acquisitions[0], seed=1),))
    assert (render(retaken, 0, 96) != render(exam, 0, 96)).any()


@pytest.mark.parametrize("exam", PATIENTS[:10], ids=lambda exam: exam.study_id)
def test_another_size_shows_the_same_film(exam: Exam) -> None:
    small, large = render(exam, 0, 112).astype(float), render(exam, 0, 224)
    reduced = resized(large, 112)
    assert np.corrcoef(small.ravel(), reduced.ravel())[0, 1] > 0.99
    assert abs(small.mean() - reduced.mean()) < 3


@pytest.mark.parametrize("size", [31, 4096])
def test_impossible_size_is_refused(size: int) -> None:
    with pytest.raises(ImageError, match="32 to 2048"):
        render(PATIENTS[0], 0, size)


def test_missing_acquisition_is_refused() -> None:
    with pytest.raises(ImageError, match="no film 7"):
        render(PATIENTS[0], 7)


def test_films_use_the_range_and_lungs_are_darker_than_the_heart() -> None:
    for number in range(12):
        exam = PATIENTS[number]
        image = film(exam)
        low, high = np.percentile(image, (2, 98))
        assert low < 70
        assert high > 150
        rows = slice(60, 100)
        lung = np.r_[image[rows, 38:58].ravel(), image[rows, 102:122].ravel()]
        assert np.median(image[rows, 74:86]) > np.median(lung) + 20


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("kind", SIDED)
def test_finding_changes_its_side(kind: str, side: str) -> None:
    for number in range(3):
        across, _ = centroid(change(steady(number), finding(kind, 0.8, side, seed=number)))
        assert (across > 0.5) == (side == "left"), (across, number)


@pytest.mark.parametrize("kind", ["consolidation", "nodule", "mass", "granuloma"])
def test_zones_lie_above_each_other_and_within_the_lung(kind: str) -> None:
    exam = steady(1)
    place = anatomy(exam, 0)
    for side in ("left", "right"):
        heights = [
            centroid(change(exam, finding(kind, 0.9, side, zone)))[1]
            for zone in ("upper", "middle", "lower")
        ]
        assert heights == sorted(heights)
        assert heights[2] - heights[0] > 0.15
        assert place.apex / 430 - 0.1 < heights[0] < heights[2] < place.rest / 430 + 0.1


@pytest.mark.parametrize("kind", [*KINDS])
def test_change_grows_with_severity(kind: str) -> None:
    for number in range(2):
        exam = steady(number)
        energies = [
            float((change(exam, finding(kind, severity)) ** 2).sum())
            for severity in (0.05, 0.5, 1.0)
        ]
        assert energies[0] > 0
        assert energies[0] < energies[1] < energies[2]


@pytest.mark.parametrize("kind", [k for k in KINDS if k not in {"granuloma", "nodule"}])
def test_moderate_finding_stands_out_at_128_pixels(kind: str) -> None:
    """The largest change is several times the film's grain."""
    for number in range(3):
        exam = steady(number)
        changed = change(exam, finding(kind, 0.5), size=128)
        regrained = replace(exam, acquisitions=(replace(STEADY, noise=0.0),))
        grain = np.abs(film(exam, size=128) - film(regrained, size=128)).mean()
        assert np.percentile(changed, 99.95) > max(6.0, 4 * grain)


def test_endotracheal_tube_lies_near_the_midline_and_its_tip_as_told() -> None:
    exam = steady(0)
    lowest = {}
    for detail in ("high", "good", "low"):
        tube = replace(finding("endotracheal_tube", 0.8), detail=detail)
        changed = change(exam, tube)
        across, _ = centroid(changed)
        assert 0.42 < across < 0.58
        lowest[detail] = np.flatnonzero((changed > 8).any(axis=1)).max()
    assert lowest["high"] < lowest["good"] < lowest["low"]


@pytest.mark.parametrize("side", ["left", "right"])
def test_central_line_enters_on_its_side_and_ends_as_told(side: str) -> None:
    exam = steady(0)
    for seed in range(6):
        lowest = []
        for detail in ("svc", "cavoatrial", "atrium"):
            line = replace(finding("central_line", 0.9, side, seed=seed), detail=detail)
            changed = change(exam, line)
            columns = np.nonzero(changed > 8)
            top = columns[1][columns[0] < columns[0].min() + 12].mean()
            assert (top > 80) == (side == "left")
            lowest.append(int(np.flatnonzero((changed[:, 68:80] > 6).any(axis=1)).max()))
        assert lowest == sorted(lowest)
        assert lowest[0] < lowest[2]


def test_cardiomegaly_widens_the_heart() -> None:
    exam = steady(3)
    widths = [
        anatomy(replace(exam, findings=(finding("cardiomegaly", s),)), 0).heart for s in (0.0, 1.0)
    ]
    assert anatomy(replace(exam, findings=()), 0).heart < widths[0] < widths[1]


def test_pneumothorax_is_darker_and_effusion_whiter() -> None:
    exam = steady(2)
    bare = film(exam)
    air = film(exam, finding("pneumothorax", 0.5, "left")) - bare
    fluid = film(exam, finding("pleural_effusion", 0.6, "right")) - bare
    assert air[:, 90:].min() < -15
    assert fluid[100:, :70].max() > 30
    assert abs(fluid[:, 100:]).mean() < 1


def test_fluid_hides_what_lies_in_it_and_stays_white_below_air() -> None:
    exam = steady(2)
    fluid, air = finding("pleural_effusion", 0.9, "right"), finding("pneumothorax", 0.6, "right")
    nodule = finding("nodule", 0.9, "right", "lower")
    alone = np.abs(film(exam, nodule) - film(exam)).sum()
    drowned = np.abs(film(exam, fluid, nodule) - film(exam, fluid)).sum()
    assert drowned < 0.5 * alone
    both, only_air = film(exam, fluid, air), film(exam, air)
    base = np.s_[95:105, 40:60]
    assert both[base].mean() > only_air[base].mean() + 30


def test_finding_that_stays_looks_the_same_next_time() -> None:
    """The change by one finding correlates between two films taken alike, not with another's."""
    exam = steady(4)
    again = replace(exam, number=1, acquisitions=(replace(STEADY, noise=0.3),))
    first = change(exam, finding("mass", 0.7, "left", "middle", seed=5))
    second = change(again, finding("mass", 0.7, "left", "middle", seed=5))
    other = change(exam, finding("mass", 0.7, "left", "middle", seed=77))
    same = np.corrcoef(first.ravel(), second.ravel())[0, 1]
    assert same > 0.9
    assert same > np.corrcoef(first.ravel(), other.ravel())[0, 1]


@given(st.integers(0, 500), st.integers(0, 40), st.sampled_from([64, 97, 160]))
@settings(max_examples=40, deadline=None)
def test_any_exam_gives_a_film(seed: int, number: int, size: int) -> None:
    exam = exams(number + 1, seed)[number]
    for acquisition in range(len(exam.acquisitions)):
        image = render(exam, acquisition, size)
        assert image.shape == (size, size)
        assert image.dtype == np.uint8
        assert image.std() > 20
        assert 30 < image.mean() < 225
