"""Findings labels from graphs, whoever made them."""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path

import pytest

from radpair.errors import GraphError
from radpair.graphs import (
    extract,
    finding_labels,
    finding_names,
    load_lexicon,
    shipped_lexicon,
)
from radpair.graphs.schema import ANATOMY, LOCATED_AT, UNCERTAIN
from radpair.phantom.truth import LABELS
from radpair.records import Entity, Graph, Relation

CASES = [
    ("nih14", "No pleural effusion.", {"Effusion": 0}),
    ("nih14", "Small effusion.", {"Effusion": 1}),
    ("nih14", "Pericardial effusion.", {}),
    ("nih14", "Possible pneumonia.", {"Pneumonia": -1}),
    ("nih14", "No pneumonia. Possible pneumonia.", {"Pneumonia": -1}),
    ("nih14", "Pneumonia. Possible pneumonia.", {"Pneumonia": 1}),
    ("nih14", "The heart is enlarged.", {"Cardiomegaly": 1}),
    ("nih14", "The heart is not enlarged.", {"Cardiomegaly": 0}),
    ("nih14", "Heart size is normal.", {"Cardiomegaly": 0}),
    ("nih14", "Enlarged liver.", {}),
    ("nih14", "Collapse of the right lower lobe.", {"Atelectasis": 1}),
    ("nih14", "Vertebral body collapse.", {}),
    ("nih14", "Apical pleural thickening.", {"Pleural_Thickening": 1}),
    ("nih14", "Bronchial wall thickening.", {}),
    ("nih14", "Changes of cystic fibrosis.", {}),
    ("nih14", "Hiatal hernia.", {"Hernia": 1}),
    ("nih14", "Soft tissue edema.", {}),
    ("nih14", "Emphysematous changes.", {"Emphysema": 1}),
    ("chexpert14", "Lungs are clear.", {"No Finding": 1}),
    ("chexpert14", "Large hiatal hernia. No effusion.", {"Pleural Effusion": 0}),
    ("chexpert14", "No change.", {}),
    ("chexpert14", "Heart size is increased.", {"Cardiomegaly": 1}),
    ("chexpert14", "Mild vascular congestion.", {"Edema": 1}),
    ("chexpert14", "Left PICC.", {"No Finding": 1, "Support Devices": 1}),
    ("chexpert14", "Possible edema.", {"Edema": -1}),
    ("chexpert14", "Rib fracture.", {"Fracture": 1}),
    ("chexpert14", "", {}),
    ("phantom", "Acute left sixth rib fracture.", {"Rib Fracture": 1}),
    ("phantom", "Elevated right hemidiaphragm.", {"Elevated Hemidiaphragm": 1}),
    ("phantom", "No pacemaker.", {"Pacemaker": 0}),
    ("phantom", "Right subclavian line.", {"Central Line": 1}),
    ("phantom", "ET tube in place.", {"Endotracheal Tube": 1}),
]


@pytest.mark.parametrize(("scheme", "text", "labels"), CASES, ids=[c[1] for c in CASES])
def test_labels_of_a_sentence(scheme: str, text: str, labels: dict[str, float]) -> None:
    assert finding_labels(extract(text), scheme) == labels


def test_a_graph_from_elsewhere_is_read_by_its_words() -> None:
    graph = Graph(
        "Layering Pleural Effusions ?",
        (Entity("Pleural", ANATOMY, 1, 1), Entity("Effusions", UNCERTAIN, 2, 2)),
        (Relation(1, LOCATED_AT, 0),),
    )
    assert finding_labels(graph, "nih14") == {"Effusion": -1}


def test_a_users_term_counts_where_its_lexicon_is_given(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('[finding]\neffusion = ["wet chest"]', encoding="utf-8")
    mine = load_lexicon(path)
    graph = extract("No wet chest.", mine)
    assert finding_labels(graph, "nih14", mine) == {"Effusion": 0}
    assert finding_labels(graph, "nih14") == {}


def test_schemes_hold_their_published_findings() -> None:
    assert len(finding_names("nih14")) == len(finding_names("chexpert14")) == 14
    assert finding_names("chexpert14")[0] == "No Finding"
    assert set(finding_names("phantom")) == set(LABELS)


def test_an_unknown_scheme_is_named_with_the_nearest() -> None:
    with pytest.raises(GraphError, match="'chexpert'; did you mean 'chexpert14'"):
        finding_labels(extract("x"), "chexpert")


def test_rules_name_only_concepts_of_the_lexicon() -> None:
    known = {term.concept for term in shipped_lexicon().entries.values()}
    path = resources.files("radpair.graphs") / "lexicon" / "labels.toml"
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    keys = {"observation", "at", "not_at", "with", "not_with"}
    for rules in data.pop("definitions").values():
        for rule in rules:
            assert set(rule) <= keys | {"means", "status"}
            assert {c for key in keys & set(rule) for c in rule[key]} <= known | {"joint"}
    assert set(data) == {"chexpert14", "nih14", "phantom"}
