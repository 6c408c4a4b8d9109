"""CheXpert Plus: sections, labels and graphs that follow the table's rows."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radpair.errors import GraphError, SourceError
from radpair.records import Entity, Graph, Relation
from radpair.sources import json_records as records
from radpair.sources.chexpert_plus import CheXpertPlus
from radpair.sources.dataset import share_of
from radpair.sources.json_records import json_records
from radpair.sources.radgraph_xl import joined
from radpair.studyset import StudySet, write
from sources.fakes.chexpert import NAMES, FakeImage
from sources.fakes.chexpert_plus import FakeReport, fake_rows, graph, make

TABLE = "df_chexpert_plus_240401.csv"
PRESENT = "Observation::definitely present"


@pytest.fixture
def plus(tmp_path: Path) -> Path:
    return make(tmp_path / "plus")


def by_study() -> dict[str, list[tuple[FakeImage, FakeReport]]]:
    studies: dict[str, list[tuple[FakeImage, FakeReport]]] = {}
    for image, report in fake_rows():
        studies.setdefault(f"{image.patient}/{image.study}", []).append((image, report))
    return studies


def refused(root: Path, *parts: str, **options: Any) -> None:
    with pytest.raises(SourceError) as caught:
        list(CheXpertPlus(root=root, **options).studies())
    for part in parts:
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)


def test_reports_labels_views_and_splits(plus: Path) -> None:
    found = {study.study_id: study for study in CheXpertPlus(root=plus, validate=0.4).studies()}
    assert list(found) == list(by_study())
    for key, rows in by_study().items():
        study, (image, report) = found[key], rows[0]
        paths = [f"PNG/{i.path}".replace(".jpg", ".png") for i, _ in rows]
        assert [view.path for view in study.views] == paths
        for view, (i, _) in zip(study.views, rows, strict=True):
            projection = i.cells[3] if i.cells[3] in ("AP", "PA") else ""
            assert view.position == ("LATERAL" if "lateral" in i.file else projection)
        assert study.report == told(report)
        for name, value in zip(NAMES, image.labels, strict=True):
            assert study.labels[name] == float(value) if value else math.isnan(study.labels[name])
        held = "validate" if share_of(image.patient) < 0.4 else "train"
        assert study.split == ("test" if image.part == "valid" else held)
        sex, age = image.cells[:2]
        assert study.attributes == {"sex": sex, "age": f"{age}.0", "race": "Other"}
        assert study.graph is None


def told(report: FakeReport) -> str:
    if not report.findings and not report.impression:
        return report.whole
    parts = ["HISTORY: Cough."]
    parts += [f"FINDINGS: {report.findings}"] if report.findings else []
    parts += [f"IMPRESSION: {report.impression}"] if report.impression else []
    return "\n\n".join(parts)


def test_labels_of_other_texts(plus: Path) -> None:
    for study in CheXpertPlus(root=plus, labels="findings").studies():
        given = {name: value for name, value in study.labels.items() if value == value}
        assert given == {"No Finding": 1.0}
    shutil.rmtree(plus / "chexbert_labels")
    refused(plus, "chexbert_labels/impression_fixed.json", "--labels none")
    assert not next(CheXpertPlus(root=plus, labels="none").studies()).labels


def test_graphs_follow_the_rows_that_have_the_section(plus: Path) -> None:
    source = CheXpertPlus(root=plus, graphs=("findings", "impression"))
    graphs = 0
    for study in source.studies():
        report = by_study()[study.study_id][0][1]
        texts = [t for t in (report.findings, report.impression) if len(t.split()) >= 2]
        assert (study.graph is None) == (not texts)
        if study.graph is not None:
            graphs += 1
            assert study.graph.text == " ".join(graph(text)["text"] for text in texts)
            tokens = study.graph.text.split(" ")
            for entity in study.graph.entities:
                assert " ".join(tokens[entity.start : entity.end + 1]) == entity.text
            assert len(study.graph.relations) == len(texts)
    assert graphs > 3


def test_graphs_of_another_table_are_refused(plus: Path) -> None:
    file = plus / "radgraph-XL-annotations" / "section_findings.json"
    graphs = json.loads(file.read_text())
    for changed, words in (
        (graphs[1:] + graphs[:1], "its text is not that of"),
        (graphs[:-1], "ends before row"),
        ([*graphs, graphs[0]], "there is no row left for it"),
        ([{"0": {"text": "x"}}, *graphs[1:]], "has no 'entities'"),
        ([{"0": "x"}, *graphs[1:]], "has no 'text'"),
    ):
        file.write_text(json.dumps(changed))
        refused(plus, "section_findings.json", words, graphs=("findings",))
    for key, value, words in (
        ("end_ix", 99, "spans tokens 0 to 99"),
        ("relations", [["modify", "9"]], "entity '1': is not as RadGraph writes it"),
        ("start_ix", "0", "is not as RadGraph writes it"),
    ):
        wrong = json.loads(json.dumps(graphs))
        wrong[0]["0"]["entities"]["1"][key] = value
        file.write_text(json.dumps(wrong))
        refused(plus, "record 0", words, graphs=("findings",))


def test_from_folder_to_study_set(plus: Path, tmp_path: Path) -> None:
    source = CheXpertPlus(root=plus, graphs=("findings",), validate=0.4)
    summary = write(source, tmp_path / "set", size=32, processes=1)
    rows = list(fake_rows())
    assert (summary.images, summary.quarantined_images) == (len(rows), 0)
    assert summary.source_graphs > 2
    assert all(summary.splits.values())
    studies = StudySet.open(tmp_path / "set")
    assert studies.study_ids == list(by_study())
    file = plus / "radgraph-XL-annotations" / "section_findings.json"
    file.write_text(file.read_text().replace(PRESENT, "Observation::perhaps", 1))
    with pytest.raises(GraphError, match="label 'Observation::perhaps'"):
        write(source, tmp_path / "other", size=32, processes=1)


@pytest.mark.parametrize(
    ("images", "suffix"), [("PNG/PNG", ".png"), ("DICOM", ".dcm"), (".", ".jpg")]
)
def test_images_in_other_folders(tmp_path: Path, images: str, suffix: str) -> None:
    source = CheXpertPlus(root=make(tmp_path / "plus", images, suffix))
    for study in source.studies():
        assert all(source.path_of(study, view).is_file() for view in range(len(study.views)))


def test_several_image_folders_must_be_told_apart(plus: Path) -> None:
    shutil.copytree(plus / "PNG", plus / "copy" / "PNG")
    refused(plus, "has images in PNG and copy/PNG; say which with --images")
    chosen = CheXpertPlus(root=plus, images="copy/PNG")
    assert next(chosen.studies()).views[0].path.startswith("copy/PNG/train/")
    refused(plus, "--images: the path '../x'", images="../x")
    refused(plus, "has no folder with train/patient00001", images="nowhere")


def test_wrong_folders_and_missing_parts(plus: Path, tmp_path: Path) -> None:
    refused(tmp_path, "plus has; give that folder")
    (tmp_path / "train.csv").write_text("")
    refused(tmp_path, "radpair ingest chexpert")
    shutil.rmtree(plus / "radgraph-XL-annotations")
    refused(plus, "unpack radgraph-XL-annotations.zip", graphs=("impression",))
    for part in ("train", "valid"):
        shutil.rmtree(plus / "PNG" / part)
        (plus / "PNG" / part).mkdir()
    refused(plus, "not one image of the tables is there, such as PNG/train/patient00001")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("train/patient00001/", "/train/patient00001/", "is not one below"),
        ("train/patient00001/", "elsewhere/patient00001/", "is no path such as"),
        (",train\r\n", ",tr\r\n", "the split 'tr'"),
        ("section_findings", "findings", "has no column 'section_findings'"),
    ],
)
def test_damaged_tables(plus: Path, old: str, new: str, words: str) -> None:
    content = (plus / TABLE).read_bytes()
    assert old.encode() in content
    (plus / TABLE).write_bytes(content.replace(old.encode(), new.encode(), 1))
    refused(plus, TABLE, words)


def test_damaged_labels(plus: Path) -> None:
    file = plus / "chexbert_labels" / "impression_fixed.json"
    text = file.read_text()
    file.write_text(text.replace('"Edema": ', '"Edema": 7, "x": ', 1))
    refused(plus, "impression_fixed.json, record 0: has no label in 'Edema'")
    file.write_text(text[: len(text) // 2])
    refused(plus, "impression_fixed.json: record", "is damaged")


RECORDS = st.lists(
    st.dictionaries(
        st.text(max_size=4),
        st.one_of(st.none(), st.text(max_size=20), st.integers(), st.lists(st.booleans())),
        max_size=4,
    ),
    max_size=20,
)


@given(RECORDS, st.integers(1, 64), st.sampled_from(["list", "indented", "lines"]))
def test_long_json_is_read_in_pieces(
    tmp_path_factory: pytest.TempPathFactory, given_records: list[Any], chunk: int, shape: str
) -> None:
    file = tmp_path_factory.mktemp("json") / "x.json"
    text = json.dumps(given_records, indent=1 if shape == "indented" else None)
    if shape == "lines":
        text = "\n".join(json.dumps(record) for record in given_records)
    file.write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records, "CHUNK", chunk)
        assert list(json_records(file)) == list(enumerate(given_records))


@pytest.mark.parametrize("text", ['[{"a": 1}, 7]', '[{"a": 1}, {"b"', '[{"a": 1}, {"b" 2}]'])
def test_damaged_json_names_the_record(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(SourceError, match=r"x\.json: record 1 is damaged"):
        list(json_records(tmp_path / "x.json"))


def test_joined_graphs_are_both() -> None:
    one = Graph(
        "a b", (Entity("a", PRESENT, 0, 0), Entity("b", PRESENT, 1, 1)), (Relation(0, "x", 1),)
    )
    two = joined([one, None, one])
    assert two is not None
    assert two.text == "a b a b"
    assert [(e.text, e.start) for e in two.entities] == [("a", 0), ("b", 1), ("a", 2), ("b", 3)]
    assert two.relations == (Relation(0, "x", 1), Relation(2, "x", 3))
    assert joined([None]) is None
