"""Reports from tables and folders, one at a time, and every fault as a sentence."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radpair.errors import SourceError
from radpair.reports import body, sections
from radpair.sources import tabular
from radpair.sources.reports import (
    SECTIONS,
    SEEN,
    ReportText,
    count_reports,
    heading,
    read_reports,
    under_headings,
)

ROWS = [
    {"id": "a", "text": "No effusion.\nHeart normal."},
    {"id": "b", "text": ""},
    {"id": "10", "text": "Ünïcode 漢字, clear"},
]
SHARED = Path(__file__).parents[2] / ".." / "shared" / "data"
XML = """<?xml version="1.0" encoding="{encoding}"?>
<eCitation><uId id="{id}"/><MedlineCitation><Article><Abstract>
<AbstractText Label="COMPARISON">None.</AbstractText>
<AbstractText Label="INDICATION">{indication}</AbstractText>
<AbstractText Label="FINDINGS">{findings}</AbstractText>
<AbstractText Label="IMPRESSION"/>
</Abstract></Article></MedlineCitation></eCitation>"""


def xml(id: str, findings: str, indication: str = "Fever &amp; XXXX", code: str = "utf-8") -> bytes:
    text = XML.format(id=id, findings=findings, indication=indication, encoding=code)
    return text.encode(code)


def write_table(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    kind = path.name.removesuffix(".gz").rpartition(".")[2]
    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist(list(rows)), path)
        return path
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "wt", encoding="utf-8", newline="") as file:
        if kind == "jsonl":
            file.writelines(json.dumps(row) + "\n" for row in rows)
        else:
            writer = csv.DictWriter(file, list(rows[0]), delimiter="\t" if kind == "tsv" else ",")
            writer.writeheader()
            writer.writerows(rows)
    return path


def refused(path: Path, *given: Any) -> str:
    with pytest.raises(SourceError) as caught:
        list(read_reports(path, *given))
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.jsonl", "t.parquet", "t.csv.gz"])
def test_every_table_gives_the_same_reports(tmp_path: Path, name: str) -> None:
    path = write_table(tmp_path / name, ROWS)
    assert list(read_reports(path)) == [ReportText(row["id"], row["text"]) for row in ROWS]
    assert count_reports(path) == (3 if name == "t.parquet" else None)


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl", "t.parquet"])
def test_rows_are_read_as_they_are_needed(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tabular, "PARQUET_ROWS", 8)
    path = write_table(tmp_path / name, [{"id": f"r{i}", "text": "x"} for i in range(500)])
    made: list[int] = []
    row = tabular.Row

    def counted(number: int, cells: dict[str, str]) -> tabular.Row:
        made.append(number)
        return row(number, cells)

    monkeypatch.setattr(tabular, "Row", counted)
    reports = read_reports(path)
    assert next(reports).id == "r0"
    assert len(made) == 1
    assert sum(1 for _ in reports) == 499


def test_several_text_columns_stand_under_their_headings(tmp_path: Path) -> None:
    row = {
        "study": 7,
        "section_clinical_history": "cough, pneumonia?",
        "section_findings": "No effusion.",
        "section_impression": "1. Normal.",
    }
    path = write_table(tmp_path / "t.jsonl", [row, {"study": 8, "section_clinical_history": "x"}])
    first, second = read_reports(path, "study", [name for name in row if name != "study"])
    assert (
        first.text
        == "HISTORY: cough, pneumonia?\n\nFINDINGS: No effusion.\n\nIMPRESSION: 1. Normal."
    )
    assert body(first.text) == "No effusion.\n\n1. Normal."
    assert second == ReportText("8", "")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("section_findings", "FINDINGS"),
        ("Impression", "IMPRESSION"),
        ("section_end_of_impression", "END OF IMPRESSION"),
        ("section_clinical_history", "HISTORY"),
        ("section_procedure_comments", "PROCEDURE"),
        ("Indication", "INDICATION"),
        ("clinical_notes", "FINDINGS"),
        ("finding_text", "FINDINGS"),
    ],
)
def test_a_columns_name_becomes_a_heading(name: str, expected: str) -> None:
    assert heading(name) == expected


def test_every_heading_is_one_that_section_parsing_knows() -> None:
    for section in SECTIONS:
        found = sections(f"FINDINGS: a.\n\n{section.upper()}: stated b.")
        assert "stated" not in found.findings or section == "findings"
        assert "stated" in " ".join([found.findings, found.impression, *found.other.values()])
    assert set(SEEN) <= set(SECTIONS)


@given(st.dictionaries(st.sampled_from([s for s in SECTIONS if s not in SEEN]), st.text()))
def test_what_was_asked_or_done_alone_is_no_report(parts: dict[str, str]) -> None:
    assert under_headings(parts.items()) == ""


def test_a_folder_of_text_files_in_the_order_of_numbers(tmp_path: Path) -> None:
    for name in ("p10/s2.txt", "p9/s10.txt", "p9/s9.TXT", ".hidden/x.txt", "index.html"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"\ufeffReport {name}\n", encoding="utf-8")
    reports = list(read_reports(tmp_path))
    assert [report.id for report in reports] == ["p9/s9", "p9/s10", "p10/s2"]
    assert reports[1].text == "Report p9/s10.txt"
    assert count_reports(tmp_path) == 3
    assert list(read_reports(tmp_path / "p10" / "s2.txt")) == [ReportText("s2", reports[2].text)]


@pytest.mark.parametrize("code", ["utf-8", "iso-8859-1", "utf-16"])
def test_open_i_files_bear_their_own_id_and_headings(tmp_path: Path, code: str) -> None:
    (tmp_path / "2.xml").write_bytes(xml("CXR2", "Größe normal.", code=code))
    (tmp_path / "10.xml").write_bytes(xml("CXR10", ""))
    first, second = read_reports(tmp_path)
    assert first.id == "CXR2"
    assert first.text == (
        "COMPARISON: None.\n\nINDICATION: Fever & XXXX\n\nFINDINGS: Größe normal."
    )
    assert body(first.text) == "Größe normal."
    assert second == ReportText("CXR10", "")


def test_a_missing_column_is_named_with_the_nearest(tmp_path: Path) -> None:
    path = write_table(tmp_path / "t.csv", ROWS)
    assert "has no column 'txt'; did you mean 'text'?" in refused(path, None, ["txt"])
    assert "has no column 'ids'; did you mean 'id'?" in refused(path, "ids")


def test_without_the_usual_columns_those_that_could_serve_are_named(tmp_path: Path) -> None:
    rows = [
        {"accession": f"A{i}", "sex": "F", "note": f"No effusion in study number {i // 2}."}
        for i in range(6)
    ]
    message = refused(write_table(tmp_path / "t.csv", rows))
    assert "--id-column, such as accession (" in message
    assert "--text-column, such as note (" in message
    message = refused(write_table(tmp_path / "u.csv", [{"sex": "F"}, {"sex": "F"}]))
    assert "but no columns differ in every row" in message


def test_ids_are_given_and_unique(tmp_path: Path) -> None:
    path = write_table(tmp_path / "t.csv", [*ROWS, ROWS[0]])
    assert "the id 'a' stands in row 2 and in row 5" in refused(path)
    path = write_table(tmp_path / "t.csv", [*ROWS, {"id": " ", "text": "x"}])
    assert "row 5: the id is blank" in refused(path)
    for name in ("a.txt", "a.xml"):
        (tmp_path / "f").mkdir(exist_ok=True)
        (tmp_path / "f" / name).write_bytes(xml("a", "x"))
    assert "the id 'a' stands in a.txt and in a.xml" in refused(tmp_path / "f")


@pytest.mark.parametrize("filler", [0, 9000])
def test_another_encoding_is_named_with_its_byte(tmp_path: Path, filler: int) -> None:
    content = b"id,text\na," + b"x" * filler + b"\nb,\xe4\n"
    (tmp_path / "t.csv").write_bytes(content)
    where = f"(line 3, byte {content.index(0xE4)})"
    assert f"t.csv: is not UTF-8 text {where}" in refused(tmp_path / "t.csv")
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(content))
    assert where in refused(tmp_path / "t.csv.gz")
    (tmp_path / "r.txt").write_bytes(content)
    assert f"r.txt: is not UTF-8 text {where}" in refused(tmp_path / "r.txt")
    (tmp_path / "u.csv").write_bytes("id,text\na,x\n".encode("utf-16"))
    assert "looks like UTF-16" in refused(tmp_path / "u.csv")


def test_binary_content_is_named(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"id,text\na,clear\nb,No\0effusion\n")
    assert "row 3: is binary or UTF-16 (a NUL at character 2)" in refused(tmp_path / "t.csv")
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "s.txt").write_bytes("Clear.".encode("utf-16-le"))
    assert "s.txt: is binary or UTF-16" in refused(tmp_path / "f")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.jsonl", '{"id": "a", "text": "x"}\n{"id": "b"\n', "t.jsonl, row 2: is not JSON"),
        ("t.jsonl", "", "is empty"),
        ("t.csv", "", "is empty"),
        ("t.csv", 'id,text\na,"x', "row 2: unexpected end of data"),
        ("t.csv", "id,text\na,x,y\n", "row 2: has 3 cells where the header has 2"),
        ("t.parquet", "no", "is not a readable Parquet file"),
        ("t.docx", "x", "is neither a table"),
        ("t.xml", "<a><b></a>", "t.xml: is not well-formed XML (mismatched tag: line 1"),
        ("t.xml", "<a/>", "t.xml: has no uId"),
        ("f/readme.md", "x", "holds no .txt or .xml file"),
        ("f/x.gz", "x", "holds no .txt or .xml file"),
    ],
)
def test_damaged_input_is_a_sentence(tmp_path: Path, name: str, content: str, message: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)
    assert message in refused(path if path.parent == tmp_path else path.parent)


def test_a_path_that_is_not_there_and_columns_of_a_folder(tmp_path: Path) -> None:
    assert "there is no such file or folder" in refused(tmp_path / "none")
    (tmp_path / "s.txt").write_text("x")
    assert "columns were named but this is no table" in refused(tmp_path, "id")


@pytest.mark.skipif(not (SHARED / "openi-reports").exists(), reason="no Open-i reports here")
def test_open_i_is_read_whole() -> None:
    reports = list(read_reports(SHARED / "openi-reports" / "reports"))
    assert len(reports) == count_reports(SHARED / "openi-reports" / "reports") == 3184
    numbers = [int(report.id.removeprefix("CXR")) for report in reports]
    assert numbers == sorted(numbers)
    assert sum(not report.text for report in reports) == 24


@pytest.mark.parametrize("depth", [100_000, 100])
def test_a_row_nested_without_end_is_named(tmp_path: Path, depth: int) -> None:
    path = tmp_path / "t.jsonl"
    row = '{"id": "b", "text": ' + "[" * depth + "]" * depth + "}"
    path.write_text('{"id": "a", "text": "No effusion."}\n' + row + "\n", encoding="utf-8")
    assert f"{path}, row 2" in refused(path)


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.parquet", "t.csv.gz"])
def test_a_table_without_rows_has_no_reports(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "t.parquet":
        pq.write_table(pa.table({"id": pa.array([], pa.string()), "text": ["x"][:0]}), path)
    else:
        header = b"id\ttext\n" if name == "t.tsv" else b"id,text\n"
        path.write_bytes(gzip.compress(header) if name.endswith(".gz") else header)
    message = refused(path)
    assert "no reports" in message
    assert str(path) in message


def test_a_file_that_may_not_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").write_text("No effusion.")

    def denied(*_: Any, **__: Any) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_text", denied)
    message = refused(tmp_path)
    assert "a.txt" in message
    assert "Permission denied" in message
