from __future__ import annotations

import os
import random
import re
import subprocess
import sys
from collections import Counter, defaultdict
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radpair.graphs.schema import ABSENT, ANATOMY, ENTITY_LABELS, PRESENT, RELATION_TYPES, UNCERTAIN
from radpair.phantom import truth
from radpair.phantom.markup import LABEL_OF_STATUS
from radpair.phantom.naming import slots
from radpair.phantom.reading import DEVICES, SUBTLE, mention_rate
from radpair.phantom.report import WrittenReport, write
from radpair.reports import body, tokens

LABELS = {key: kind.label for key, kind in truth.KINDS.items()}


@pytest.fixture(scope="module")
def pairs() -> list[tuple[truth.Exam, WrittenReport]]:
    return [(exam, write(exam)) for exam in truth.exams(3000, seed=11)]


@st.composite
def findings(draw: st.DrawFn) -> truth.Finding:
    key = draw(st.sampled_from(sorted(truth.KINDS)))
    kind = truth.KINDS[key]
    sides = set(kind.sides) | ({"bilateral"} if kind.bilateral else set())
    return truth.Finding(
        kind=key,
        side=draw(st.sampled_from(sorted(sides))),
        severity=draw(st.floats(0.0, 1.0)),
        zone=draw(st.sampled_from(kind.zones)) if kind.zones else "",
        size_mm=draw(st.floats(*kind.sizes_mm)) if kind.sizes_mm else 0.0,
        detail=draw(st.sampled_from(kind.details)) if kind.details else "",
        seed=draw(st.integers(0, 2**31 - 1)),
    )


@st.composite
def exams(draw: st.DrawFn) -> truth.Exam:
    chosen = st.lists(findings(), max_size=8, unique_by=lambda finding: finding.kind)
    now = tuple(draw(chosen))
    patient, seed = draw(st.integers(0, 500)), draw(st.integers(0, 2**31 - 1))
    return replace(
        truth.patient_exams(patient, 5)[0],
        findings=now,
        previous=draw(st.none() | chosen.map(tuple)),
        seed=seed,
        labels=truth.truth_labels(now),
    )


@settings(max_examples=150, deadline=None)
@given(exams())
def test_spans_relations_and_text_agree_for_any_exam(exam: truth.Exam) -> None:
    report = write(exam)
    graph = report.graph
    words = graph.text.split(" ")
    assert "" not in words
    assert words == tokens(body(report.text))
    for entity in graph.entities:
        assert 0 <= entity.start <= entity.end < len(words)
        assert " ".join(words[entity.start : entity.end + 1]) == entity.text
        assert entity.label in ENTITY_LABELS
        assert not set(entity.text.split(" ")) & set(".,:;"), entity
    spans = sorted((entity.start, entity.end) for entity in graph.entities)
    assert all(left[1] < right[0] for left, right in pairwise(spans))
    assert len(set(graph.relations)) == len(graph.relations)
    for relation in graph.relations:
        assert relation.type in RELATION_TYPES
        assert relation.source != relation.target
        assert 0 <= relation.source < len(graph.entities)
        target = graph.entities[relation.target]
        assert (relation.type == "located_at") <= (target.label == ANATOMY)


@settings(max_examples=150, deadline=None)
@given(exams())
def test_what_is_mentioned_agrees_with_graph_and_truth(exam: truth.Exam) -> None:
    report = write(exam)
    severities = {LABELS[finding.kind]: finding.severity for finding in exam.findings}
    assert set(report.mentioned) == {said.label for said in report.statements}
    for said in report.statements:
        entity = report.graph.entities[said.entity]
        assert report.mentioned[said.label] == said.status
        calls_normal = said.status == 0 and entity.label == PRESENT
        assert calls_normal or entity.label == LABEL_OF_STATUS[said.status]
        assert not calls_normal or entity.text.lower() in {
            "normal",
            "within normal limits",
            "unremarkable",
        }
    for label, status in report.mentioned.items():
        if status == 1:
            assert label in severities, "a finding that is not there is never called present"
        if status == 0:
            assert severities.get(label, 0.0) < SUBTLE, "an unmistakable finding is never denied"


def test_no_organ_is_called_normal_over_an_unmistakable_finding(pairs) -> None:
    lungs = {"consolidation", "atelectasis", "lobar_collapse", "edema", "nodule", "mass"}
    claims = {
        r"\blungs are (grossly |essentially )?clear\b|^clear lungs|\. clear lungs": lungs,
        r"(bones are|thorax is|structures are) (intact|unremarkable)": {"rib_fracture"},
        r"(heart size|silhouette) is (normal|within normal|unremarkable)": {"cardiomegaly"},
        r"\bno (radiographic )?(evidence of )?acute (cardiop|intrath|abnormality|findings)": (
            lungs | {"pleural_effusion", "pneumothorax", "rib_fracture"}
        ),
    }
    seen: Counter[str] = Counter()
    for exam, report in pairs:
        text = re.sub(r"\s+", " ", body(report.text)).lower()
        plain = {finding.kind for finding in exam.findings if finding.severity >= SUBTLE}
        for claim, kinds in claims.items():
            if re.search(claim, text):
                seen[claim] += 1
                assert not kinds & plain, (claim, kinds & plain, report.text)
    assert all(seen[claim] > 50 for claim in claims)


def test_the_same_exam_gets_the_same_report_whatever_was_written_before(pairs) -> None:
    for exam, report in random.Random(3).sample(pairs, 200):
        assert write(exam) == report
    exam = pairs[7][0]
    assert len({write(replace(exam, seed=seed)).text for seed in range(20)}) > 15


def test_reports_do_not_depend_on_the_process_that_writes_them() -> None:
    program = (
        "import hashlib; from radpair.phantom import Phantom;"
        "print(hashlib.sha256(repr(list(Phantom(150, seed=2).studies())).encode()).hexdigest())"
    )
    prints = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(prints) == 1


def test_every_kind_appears_as_present_absent_and_uncertain(pairs) -> None:
    statuses = defaultdict(set)
    for _, report in pairs:
        for label, status in report.mentioned.items():
            statuses[label].add(status)
    assert {label: statuses[label] for label in truth.LABELS} == {
        label: {1, 0, -1} for label in truth.LABELS
    }


def test_most_findings_are_mentioned_and_subtle_ones_less_often(pairs) -> None:
    spoken, total = Counter(), Counter()
    for exam, report in pairs:
        for finding in exam.findings:
            band = min(int(finding.severity * 3), 2)
            total[band] += 1
            spoken[band] += report.mentioned.get(LABELS[finding.kind], 0) != 0
    shares = [spoken[band] / total[band] for band in range(3)]
    assert 0.85 < sum(spoken.values()) / sum(total.values()) < 0.90
    assert shares[0] < shares[1] < shares[2]
    assert shares[0] > 0.6


def test_doubt_falls_with_severity(pairs) -> None:
    open_, said = Counter(), Counter()
    for exam, report in pairs:
        for finding in exam.findings:
            status = report.mentioned.get(LABELS[finding.kind], 0)
            if status and finding.kind not in DEVICES:
                said[finding.severity < 0.5] += 1
                open_[finding.severity < 0.5] += status < 0
    assert open_[True] / said[True] > 2 * open_[False] / said[False] > 0


def test_wording_rarely_repeats_but_for_one_normal_template(pairs) -> None:
    with_findings = [report.text for exam, report in pairs if exam.findings]
    assert len(set(with_findings)) / len(with_findings) > 0.97
    bodies = [report.graph.text for exam, report in pairs if exam.findings]
    assert len(set(bodies)) / len(bodies) > 0.97
    normal = Counter(report.text for exam, report in pairs if not exam.findings)
    (_, recurring), (_, second) = normal.most_common(2)
    assert 0.015 < recurring / sum(normal.values()) < 0.05
    assert second < recurring / 3


@pytest.mark.parametrize(
    "fault",
    [
        r"  ",
        r" [.,;:)]",
        r"[ \t]\n|\s\Z|\A\s",
        r"[{}<>|\[\]]",
        r"\.\.|,,|, \.",
        r"\ba [aeiou]",
        r"\ba (8|11|18|RLL|RUL|RML|LLL|LUL)\b",
        r"\ban [^aeiou8ERL1]",
        r"\ban (1 |10|12|[2-79])",
        r"(?i:\b(\w+) \1\b)",
        r"(?i:\bis no \w*(effusions|nodules|fractures|pneumothoraces|infiltrates)\b)",
        r"(?i:\b(effusions|nodules|opacities|consolidations|pneumothoraces) is\b)",
        r"(?m:^[a-z]\w+.*:$)",
    ],
)
def test_nothing_that_no_radiologist_would_write(pairs, fault: str) -> None:
    for _, report in pairs:
        match = re.search(fault, report.text.replace("// eval", "eval"))
        assert match is None, report.text[max(match.start() - 60, 0) : match.end() + 40]


def test_sentences_start_with_a_capital_and_end_with_a_stop(pairs) -> None:
    for _, report in pairs:
        assert report.graph.text.endswith(" .")
        for sentence in report.graph.text[:-2].split(" . "):
            assert sentence[0].isupper() or sentence[0].isdigit(), sentence


def test_reports_vary_in_sections_case_and_wrapping(pairs) -> None:
    texts = [report.text for _, report in pairs]
    for header in ("EXAMINATION", "INDICATION", "TECHNIQUE", "COMPARISON"):
        assert 0.3 < sum(header in text.upper() for text in texts) / len(texts) < 0.85
    only = Counter(("FINDINGS:" in text.upper(), "IMPRESSION:" in text.upper()) for text in texts)
    assert only[False, False] == 0
    assert min(only[True, False], only[False, True]) > 100
    assert 0.02 < sum(text.isupper() for text in texts) / len(texts) < 0.09
    assert 0.5 < sum(max(map(len, text.split("\n"))) <= 80 for text in texts) / len(texts) < 0.95


def test_comparison_is_only_made_with_a_study_before(pairs) -> None:
    compares = re.compile(
        r"(?i)\b(unchanged|interval (inc|dec|impr|wors|dev|pla|res|rem)|worsen|resolved|has cleared"
        r"|no longer|again (seen|noted)|compared to|remains)"
    )
    later = 0
    for exam, report in pairs:
        found = compares.search(re.sub(r"\s+", " ", body(report.text)))
        if exam.previous is None:
            assert found is None, report.text
        later += found is not None
    assert later > 300


def test_words_of_severity_and_side_follow_the_truth(pairs) -> None:
    wrong = {"pleural_effusion": r"large", "pneumothorax": r"large", "cardiomegaly": r"severe"}
    other = {"left": "right", "right": "left"}
    for exam, report in pairs:
        by_kind = {finding.kind: finding for finding in exam.findings}
        words = report.graph
        for said in report.statements:
            finding = next((f for k, f in by_kind.items() if LABELS[k] == said.label), None)
            if finding is None or said.status == 0:
                continue
            around = {
                words.entities[r.source].text.lower()
                for r in words.relations
                if r.target == said.entity
            }
            places = {r.target for r in words.relations if r.source == said.entity}
            sides = {words.entities[place].text.lower() for place in places} | {
                words.entities[r.source].text.lower() for r in words.relations if r.target in places
            }
            if finding.kind in wrong and finding.severity < 0.4:
                assert wrong[finding.kind] not in around
            if finding.side in other and finding.kind not in DEVICES:
                assert other[finding.side] not in sides, report.text


def test_devices_name_their_tips_and_opacities_what_they_suggest(pairs) -> None:
    relations = Counter()
    for _, report in pairs:
        entities = report.graph.entities
        for relation in report.graph.relations:
            source, target = entities[relation.source], entities[relation.target]
            relations[source.text.lower(), relation.type, target.text.lower(), target.label] += 1
    assert relations["endotracheal", "modify", "tube", PRESENT] > 20
    assert relations["tube", "located_at", "carina", ANATOMY] > 20
    assert relations["effusion", "located_at", "pleural", ANATOMY] > 200
    assert relations["left", "modify", "pleural", ANATOMY] > 30
    assert relations["opacity", "suggestive_of", "pneumonia", UNCERTAIN] > 2
    assert relations["focal", "modify", "consolidation", ABSENT] > 50


@settings(max_examples=100, deadline=None)
@given(findings(), st.integers(0, 1000))
def test_a_finding_keeps_its_name_and_size_from_sentence_to_sentence(
    finding: truth.Finding, seed: int
) -> None:
    first = slots(finding, random.Random(seed))
    second = slots(finding, random.Random(seed + 1))
    for name in ("mm", "line", "tip_s", "rib"):
        assert first.get(name) == second.get(name)
    assert 0.4 < mention_rate(finding) < 1
