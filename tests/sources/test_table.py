"""Tables of every format to studies, and every fault to a sentence with file, row and column."""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import hypothesis
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from radpair.errors import SourceError
from radpair.records import FileSource, Study, View
from radpair.sources import Table

SHARED = Path(__file__).parents[2] / ".." / "shared" / "data"
Rows = Sequence[Mapping[str, Any]]

ROWS: list[dict[str, Any]] = [
    {"image": "a/1.png", "who": "7", "note": "Clear, lungs.\nNormal heart.", "split": "train"},
    {"image": "a/2.png", "who": "7", "note": 'He said "none".', "split": "Training"},
    {"image": "b/3.jpg", "who": "8", "note": "", "split": "val"},
    {"image": "b/4.dcm", "who": "9", "note": "Ünïcode 漢字", "split": "TEST"},
]


def separated(rows: Rows, delimiter: str = ",") -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def parquet(rows: Rows) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(list(rows)), sink)
    return sink.getvalue().to_pybytes()


def json_lines(rows: Rows) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


FORMATS = {
    "t.csv": separated,
    "t.tsv": lambda rows: separated(rows, "\t"),
    "t.parquet": parquet,
    "t.jsonl": json_lines,
    "t.csv.gz": lambda rows: gzip.compress(separated(rows)),
    "bom.csv": lambda rows: b"\xef\xbb\xbf" + separated(rows),
}


def table(folder: Path, content: bytes | Rows, name: str = "t.csv", **options: Any) -> Table:
    data = content if isinstance(content, bytes) else FORMATS[name](content)
    (folder / name).write_bytes(data)
    given_options = {"image_column": "image", "patient_column": "who", **options}
    return Table(file=folder / name, root=folder, **given_options)


def refused(folder: Path, content: bytes | Rows, *parts: str, **options: Any) -> None:
    """Asserts that the table is refused in one sentence with all ``parts``."""
    with pytest.raises(SourceError) as caught:
        list(table(folder, content, **options).studies())
    message = str(caught.value)
    for part in parts:
        assert part in message
    assert "\n" not in message


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_studies(tmp_path: Path, name: str) -> None:
    source = table(tmp_path, ROWS, name, text_column="note", split_column="split")
    studies = list(source.studies())
    assert [study.study_id for study in studies] == ["1", "2", "3", "4"]
    assert [study.patient_id for study in studies] == ["7", "7", "8", "9"]
    assert [study.report for study in studies] == [row["note"] for row in ROWS]
    assert [study.split for study in studies] == ["train", "train", "validate", "test"]
    assert [study.views for study in studies] == [(View(row["image"]),) for row in ROWS]
    assert source.path_of(studies[3], 0) == tmp_path / "b" / "4.dcm"
    assert len(source) == 4
    assert isinstance(source, FileSource)


def test_typed_values_become_text(tmp_path: Path) -> None:
    rows = [
        {"image": "1.png", "who": 12.0, "y": True, "note": None},
        {"image": "2.png", "who": 13.5, "y": None, "note": math.nan},
        {"image": "3.png", "who": None, "y": False, "note": None},
    ]
    options = {"label_columns": ("y",), "text_column": "note"}
    first, second = table(tmp_path, rows[:2], "t.parquet", **options).studies()
    assert (first.patient_id, second.patient_id) == ("12", "13.5")
    assert first.labels == {"y": 1.0}
    assert math.isnan(second.labels["y"])
    assert first.report == second.report == ""
    refused(tmp_path, rows, "row 3, column 'who': is blank", name="t.parquet", **options)


def with_cells(column: str, values: Sequence[str]) -> list[dict[str, str]]:
    return [{"image": f"{n}.png", "who": str(n), column: v} for n, v in enumerate(values)]


def given(study: Study) -> dict[str, float | None]:
    return {name: None if math.isnan(value) else value for name, value in study.labels.items()}


def test_label_columns_hold_numbers(tmp_path: Path) -> None:
    values = ["1", "0", "-1", "", "NaN", "1.0", "-1.00", "nan", "NA", "True", "false", "TRUE"]
    rows = [{**row, "z": "0"} for row in with_cells("y", values)]
    studies = table(tmp_path, rows, label_columns=("y", "z")).studies()
    found = [given(study) for study in studies]
    assert [labels["y"] for labels in found] == [1, 0, -1, None, None, 1, -1, None, None, 1, 0, 1]
    assert {labels["z"] for labels in found} == {0}


@pytest.mark.parametrize("value", ["yes", "2", "0.5", "inf", "positive", "1;0"])
@pytest.mark.parametrize("columns", [("y",), ("y", "who")])
def test_other_labels_are_refused_with_their_row(
    tmp_path: Path, value: str, columns: tuple[str, ...]
) -> None:
    rows = [{"image": f"{n}.png", "who": "1", "y": v} for n, v in enumerate(["1", "", value])]
    refused(
        tmp_path, rows, f"row 4, column 'y': the label '{value}'", "mend", label_columns=columns
    )


def test_a_column_without_a_view_is_refused(tmp_path: Path) -> None:
    rows = [{"image": f"{n}.png", "who": "1", "v": v} for n, v in enumerate(["", "F", "M"])]
    refused(tmp_path, rows, "row 3, column 'v': 'F' and all other", "PA, AP", view_column="v")
    rows.append({"image": "x.png", "who": "1", "v": "pa"})
    views = [study.views[0] for study in table(tmp_path, rows, view_column="v").studies()]
    assert [view.position for view in views] == ["", "", "", "PA"]
    blank = [{**row, "v": ""} for row in rows]
    assert len(table(tmp_path, blank, view_column="v")) == 4


def test_patients_that_differ_in_case_or_zeros_are_remarked(tmp_path: Path) -> None:
    def told(*patients: str) -> list[str]:
        rows = [{"image": f"{n}.png", "who": who} for n, who in enumerate(patients)]
        return table(tmp_path, rows).remarks()

    assert told("P1", "P2", "P10", "1", "11", "P1", "0") == []
    [remark] = told("P1", "x", "p01", "x", "P001", "p1")
    assert "of rows 2 and 4, and 2 more. If they are one, mend the column 'who'" in remark
    [remark] = told("007", "7")
    assert "of rows 2 and 3. If" in remark
    assert "007" not in remark


def test_one_column_of_joined_names(tmp_path: Path) -> None:
    values = ["Effusion|Mass", "No Finding", "", "Mass", " Effusion | Nodule "]
    source = table(tmp_path, with_cells("y", values), label_columns=("y",))
    found = [given(study) for study in source.studies()]
    assert found[0] == {"Effusion": 1, "Mass": 1, "No Finding": 0, "Nodule": 0}
    assert found[1] == {"Effusion": 0, "Mass": 0, "No Finding": 1, "Nodule": 0}
    assert set(found[2].values()) == {None}
    assert found[4] == {"Effusion": 1, "Mass": 0, "No Finding": 0, "Nodule": 1}
    rows = with_cells("y", ["A;B", "C"])
    source = table(tmp_path, rows, label_columns=("y",), label_separator=";")
    assert given(next(source.studies())) == {"A": 1, "B": 1, "C": 0}
    refused(tmp_path, with_cells("y", ["A||B"]), "row 2", "empty label", label_columns=("y",))
    refused(tmp_path, with_cells("y", ["yes", "no"]), "the label 'yes'", label_columns=("y",))


def test_rows_of_one_study_are_its_views(tmp_path: Path) -> None:
    rows = [
        {"image": "1.png", "who": "1", "s": "x", "v": "PA", "note": "Clear.", "y": "1", "age": "4"},
        {"image": "2.png", "who": "2", "s": "y", "v": "AP Supine", "note": "", "y": "0", "age": ""},
        {"image": "3.png", "who": "1", "s": "x", "v": "L", "note": "", "y": "", "age": "5"},
    ]
    options: dict[str, Any] = {
        "study_column": "s",
        "view_column": "v",
        "text_column": "note",
        "label_columns": ("y",),
        "attribute_columns": ("age",),
    }
    first, second = table(tmp_path, rows, **options).studies()
    assert first.study_id == "x"
    assert first.views == (View("1.png", "PA"), View("3.png", "LATERAL"))
    assert (first.report, first.labels, first.attributes) == ("Clear.", {"y": 1.0}, {"age": "4"})
    assert second.views == (View("2.png", "AP"),)
    for column, value in (("who", "3"), ("note", "Other."), ("y", "0")):
        changed = [rows[0], rows[1], {**rows[2], column: value}]
        refused(tmp_path, changed, "rows 2 and 4 of study 'x' differ", f"'{column}'", **options)
    refused(tmp_path, [{**rows[0], "s": ""}], "row 2, column 's': is blank", **options)


@pytest.mark.parametrize(
    ("paths", "ids"),
    [
        (["a/1.png", "b/2.png"], ["1", "2"]),
        (["a/1.png", "b/1.png"], ["a/1", "b/1"]),
        (["a/1.png", "a/1.jpg"], ["a/1.png", "a/1.jpg"]),
        (["a/1.png", ""], ["1", "row-3"]),
    ],
)
def test_study_ids_come_from_paths(tmp_path: Path, paths: list[str], ids: list[str]) -> None:
    rows = [{"image": path, "who": "1"} for path in paths]
    studies = list(table(tmp_path, rows).studies())
    assert [study.study_id for study in studies] == ids
    assert [len(study.views) for study in studies] == [bool(path) for path in paths]


@pytest.mark.parametrize(
    "path", ["../x.png", "/etc/x.png", "a/../../x.png", "..", "C:\\x.png", "C:/x.png", "a\0.png"]
)
def test_paths_out_of_the_root_are_refused(tmp_path: Path, path: str) -> None:
    rows = [ROWS[0], {**ROWS[1], "image": path}]
    refused(tmp_path, rows, "row 3, column 'image'", "leads out of the root")


def test_inner_dots_are_straightened(tmp_path: Path) -> None:
    rows = [{"image": "./a/../b//1.png", "who": "1"}]
    (study,) = table(tmp_path, rows).studies()
    assert study.views[0].path == "b/1.png"
    refused(tmp_path, [*rows, {"image": "b/1.png", "who": "1"}], "row 3", "in row 2 already")


def test_official_splits(tmp_path: Path) -> None:
    rows = [
        {**row, "split": split} for row, split in zip(ROWS, ["test", "", "", "dev"], strict=True)
    ]
    studies = list(table(tmp_path, rows, split_column="split").studies())
    assert [study.split for study in studies] == ["test", "test", "", "validate"]
    rows[1]["split"] = "train"
    refused(
        tmp_path,
        rows,
        "patient '7' is in two splits, test (row 2) and train (row 3)",
        split_column="split",
    )
    rows[1]["split"] = "fold 3"
    refused(tmp_path, rows, "row 3, column 'split'", "'fold 3'", split_column="split")


@pytest.mark.parametrize("blank", ["", "  ", "nan", "None"])
def test_blank_patient_is_refused(tmp_path: Path, blank: str) -> None:
    rows = [ROWS[0], {**ROWS[1], "who": blank}]
    refused(tmp_path, rows, "row 3, column 'who': is blank")


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("option", ["image_column", "text_column", "split_column", "view_column"])
def test_missing_column_names_the_nearest(tmp_path: Path, name: str, option: str) -> None:
    options: dict[str, Any] = {option: "splot"}
    refused(tmp_path, ROWS, name, "no column 'splot'; did you mean 'split'?", name=name, **options)


def test_missing_table_and_root(tmp_path: Path) -> None:
    source = Table(file=tmp_path / "no.csv", root=tmp_path, image_column="i", patient_column="p")
    for read in (source.studies, source.options):
        with pytest.raises(SourceError, match=r"no\.csv: there is no such file"):
            list(read())
    source = Table(
        file=tmp_path / "no.csv", root=tmp_path / "none", image_column="i", patient_column="p"
    )
    with pytest.raises(SourceError, match="none: is no folder"):
        len(source)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("t.csv", b"", "is empty"),
        ("t.csv", b"image,who\n", "has no rows"),
        ("t.csv", b"image,who\n1.png,1\n2.png\n", "row 3: has 1 cells where the header has 2"),
        ("t.csv", b'image,who\n1.png,"1\n', "row 2"),
        ("t.csv", b'image,who\n1.png,"1"x\n', "row 2"),
        ("t.csv", b"image,who\n\xff\xfe.png,1\n", "is not UTF-8"),
        ("t.csv", b"image,who,who\n1.png,1,2\n", "has the column 'who' twice"),
        ("t.csv", b"image|who\n1.png|1\n", "no column 'image'"),
        ("t.jsonl", b"", "is empty"),
        ("t.jsonl", b'{"image": "1.png", "who": 1}\n{"image"\n', "row 2: is not JSON"),
        ("t.jsonl", b"[1]\n", "row 1: is not a JSON object"),
        ("t.jsonl", b'{"image": "1.png", "who": [1]}\n', "row 1, column 'who': holds a list"),
        ("t.parquet", b"PAR1 not really", "is not a readable Parquet file"),
        ("t.csv.gz", b"image,who", "cannot be read"),
        ("t.xlsx", b"PK", "is no table that radpair knows"),
    ],
)
def test_damaged_tables_are_refused(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    refused(tmp_path, content, str(tmp_path / name), reason, name=name)


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.jsonl", "t.csv.gz"])
@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "utf-8"])
def test_tables_in_other_encodings(tmp_path: Path, name: str, encoding: str) -> None:
    rows = [{"image": "1.png", "who": "7", "note": "Herzgröße normal, kein Ödem."}]
    packed = name.endswith(".gz")
    content = gzip.decompress(FORMATS[name](rows)) if packed else FORMATS[name](rows)
    if name == "t.jsonl":
        content = json.dumps(rows[0], ensure_ascii=False).encode()
    content = content.decode().encode(encoding)
    options = {"text_column": "note", "name": name, "encoding": encoding}
    source = table(tmp_path, gzip.compress(content) if packed else content, **options)
    assert [study.report for study in source.studies()] == [rows[0]["note"]]
    assert source.options().get("encoding", "utf-8") == encoding


def test_wrong_encodings_are_refused(tmp_path: Path) -> None:
    content = "image,who\n1.png,Jürgen\n".encode("cp1252")
    refused(tmp_path, content, "is not UTF-8", "or name its own by --encoding, such as cp1252")
    refused(tmp_path, content, "no text in the encoding utf-16", encoding="utf-16")
    for name in ("latin7x", "hex"):
        refused(tmp_path, content, f"--encoding '{name}' is unknown", encoding=name)


def test_long_reports_pass(tmp_path: Path) -> None:
    rows = [{**ROWS[0], "note": "word " * 60_000}]
    (study,) = table(tmp_path, rows, text_column="note").studies()
    assert len(study.report) == 5 * 60_000 - 1


def test_options_follow_the_content(tmp_path: Path) -> None:
    source = table(tmp_path, ROWS, label_columns=["split"])
    options = source.options()
    assert json.loads(json.dumps(options)) == options
    assert options["label_columns"] == ["split"]
    changed = table(tmp_path, ROWS[:3], label_columns=["split"]).options()
    assert {key for key in options if options[key] != changed[key]} == {"sha256"}


def test_pickle_leaves_the_rows_behind(tmp_path: Path) -> None:
    source = table(tmp_path, [{**ROWS[0], "note": "x" * 100_000}], text_column="note")
    (study,) = source.studies()
    packed = pickle.dumps(source)
    assert len(packed) < 2000
    copy = pickle.loads(packed)  # noqa: S301
    assert copy.path_of(study, 0) == source.path_of(study, 0)
    assert list(copy.studies()) == list(source.studies())


notes = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=12)


@hypothesis.given(st.lists(notes, min_size=1, max_size=6))
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_text_survives_every_format(tmp_path: Path, texts: list[str]) -> None:
    rows = [{"image": f"{n}.png", "who": "1", "note": text} for n, text in enumerate(texts)]
    for name in FORMATS:
        studies = table(tmp_path, rows, name, text_column="note").studies()
        assert [study.report for study in studies] == [text.strip() for text in texts]


needs_shared = pytest.mark.skipif(
    not SHARED.is_dir(), reason="the real data sets are not beside the checkout"
)


def real(name: str, **options: Any) -> list[Study]:
    folder = SHARED / name
    source = Table(file=folder / "metadata.csv", root=folder, image_column="path", **options)
    studies = list(source.studies())
    assert all(source.path_of(study, 0).is_file() for study in studies)
    return studies


@needs_shared
def test_real_notes() -> None:
    studies = real(
        "cxr-notes", patient_column="group_id", text_column="clinical_notes", view_column="view"
    )
    assert len(studies) == 384
    assert sum(bool(study.report) for study in studies) == 292
    assert len({study.patient_id for study in studies}) == 191
    positions = [study.views[0].position for study in studies]
    assert [positions.count(name) for name in ("PA", "AP", "LATERAL", "")] == [186, 117, 42, 39]


@needs_shared
def test_real_joined_labels() -> None:
    studies = real("nih-chestxray14", patient_column="patient_id", label_columns=("labels",))
    assert len(studies) == 1000
    assert len(studies[0].labels) == 15
    assert sum(study.labels["No Finding"] for study in studies) == 500
    assert all(
        study.labels["No Finding"] + max(v for k, v in study.labels.items() if k != "No Finding")
        == 1
        for study in studies
    )


@needs_shared
def test_real_study_numbers_are_not_unique() -> None:
    with pytest.raises(SourceError, match="differ in column 'patient_id'; give a study column"):
        real("nih-chestxray14", patient_column="patient_id", study_column="study")


@needs_shared
def test_real_patient_in_both_official_splits() -> None:
    options = {"patient_column": "patient_id", "label_columns": ("labels",)}
    with pytest.raises(SourceError, match=r"is in two splits, test \(row \d+\) and train"):
        real("kermany-pneumonia", split_column="split", **options)
    studies = real("kermany-pneumonia", **options)
    assert len(studies) == 5840
    assert list(studies[0].labels) == ["No Finding", "Pneumonia", "bacteria", "virus"]


def test_studies_and_views_know_their_rows(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("s,p,i,r\na,1,1.png,\nb,2,2.png,x\na,1,3.png,Clear.\n")
    table = Table(
        file=tmp_path / "t.csv",
        root=tmp_path,
        image_column="i",
        patient_column="p",
        study_column="s",
        text_column="r",
    )
    found = {study.study_id: study for study in table.studies()}
    assert [view.row for view in found["a"].views] == [2, 4]
    assert (found["a"].row, found["b"].row) == (4, 3)
