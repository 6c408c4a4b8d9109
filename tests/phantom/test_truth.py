from __future__ import annotations

from collections import Counter
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from radpair.phantom import truth


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 120), st.integers(0, 120), st.integers(0, 999))
def test_a_longer_list_begins_with_the_shorter(short: int, more: int, seed: int) -> None:
    assert truth.exams(short + more, seed)[:short] == truth.exams(short, seed)


def test_seeds_differ_and_ids_are_unique() -> None:
    first, second = truth.exams(400, 1), truth.exams(400, 2)
    ids = [exam.study_id for exam in first + second]
    assert len(set(ids)) == len(ids)
    assert [exam.findings for exam in first] != [exam.findings for exam in second]


def test_a_patients_exams_stand_together_and_carry_the_findings_before() -> None:
    exams = truth.exams(600, 4)
    for before, exam in pairwise(exams):
        if exam.number:
            assert (before.patient_id, before.number) == (exam.patient_id, exam.number - 1)
            assert exam.previous == before.findings
            assert exam.body == before.body
        else:
            assert exam.previous is None
            assert before.patient_id != exam.patient_id


def test_patient_exams_are_those_of_the_list() -> None:
    exams = truth.exams(200, 9)
    for patient in range(20):
        own = [exam for exam in exams if exam.patient_id.endswith(f"-{patient:06d}")]
        assert own == truth.patient_exams(patient, 9)


def test_labels_follow_the_findings_and_findings_follow_their_kind() -> None:
    for exam in truth.exams(1000, 5):
        kinds = [finding.kind for finding in exam.findings]
        assert len(set(kinds)) == len(kinds)
        assert exam.labels == {kind.label: float(key in kinds) for key, kind in truth.KINDS.items()}
        for finding in exam.findings:
            kind = truth.KINDS[finding.kind]
            assert 0 <= finding.severity <= 1
            assert finding.zone in (kind.zones or ("",))
            assert finding.detail in (kind.details or ("",))
            assert (finding.size_mm > 0) == (kind.sizes_mm is not None)
            if finding.side == "bilateral":
                assert kind.bilateral or kind.sides == ("bilateral",)


def test_prevalences_are_near_what_the_table_says() -> None:
    first = [exam for exam in truth.exams(6000, 6) if exam.number == 0]
    shown = Counter(finding.kind for exam in first for finding in exam.findings)
    for key, kind in truth.KINDS.items():
        expected = 0.78 * kind.prevalence
        assert 0.6 * expected < shown[key] / len(first) < 1.25 * expected, key


def test_collapse_hides_what_it_covers() -> None:
    for exam in truth.exams(3000, 8):
        collapsed = {f.side for f in exam.findings if f.kind == "lobar_collapse"}
        for finding in exam.findings:
            if finding.kind in {"consolidation", "mass"} and collapsed:
                assert finding.side not in collapsed | {"bilateral"}
