"""Tables of findings labels: the same bytes from any number of processes, whole or absent."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from radpair.errors import GraphError, SourceError
from radpair.graphs import extract, finding_labels, finding_names, load_lexicon
from radpair.graphs.files import without_table
from radpair.graphs.label_table import (
    NO_FINDING,
    LabelRow,
    label_graphs,
    label_reports,
    whole_reports,
    write_labels,
)
from radpair.graphs.origin import NO_TERM, Rules
from radpair.records import Graph
from radpair.reports import Account
from radpair.sources.reports import ReportText

REPORTS = [
    ReportText("a", "INDICATION: pneumonia?\nFINDINGS: Small effusion. No pneumothorax."),
    ReportText("b", "Possible pneumonia."),
    ReportText("c, d", ""),
    ReportText("e", "___ XXXX"),
    ReportText("f", "Der Patient ist gesund."),
    ReportText("g", "Degenerative changes of the spine."),
]


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_row_a_report_in_order_with_the_numbers_of_chexpert(tmp_path: Path) -> None:
    out = tmp_path / "labels.csv"
    account = Account()
    summary = write_labels(out, "study", "nih14", label_reports(REPORTS, "nih14", account))
    rows = table(out)
    assert out.read_bytes().splitlines()[0].decode() == ",".join(["study", *finding_names("nih14")])
    assert [row["study"] for row in rows] == [report.id for report in REPORTS]
    stated = [{k: v for k, v in row.items() if v and k != "study"} for row in rows]
    assert stated == [{"Effusion": "1", "Pneumothorax": "0"}, {"Pneumonia": "-1"}, {}, {}, {}, {}]
    assert summary.unlabelled == {
        "empty report": 1,
        "only de-identification marks": 1,
        NO_TERM: 1,
        NO_FINDING: 1,
    }
    assert summary.counts["Effusion"] == {"1": 1, "": 5}
    assert account.left_out_words == {"indication": 1}
    printed = str(summary)
    assert [line.split() for line in printed.splitlines() if line.startswith("Pneumonia")] == [
        ["Pneumonia", "0", "0", "1", "5"]
    ]
    assert f"no label: 1 report ({NO_TERM})" in printed
    assert f"{out}: labels of 6 reports." in printed
    assert str(tmp_path / "labels.without-label.csv") in printed


def test_reports_without_a_label_are_listed_with_their_reason(tmp_path: Path) -> None:
    out = tmp_path / "labels.csv"
    rows = list(label_reports(REPORTS, "nih14", Account()))
    summary = write_labels(out, "study", "nih14", rows)
    assert summary.without == tmp_path / "labels.without-label.csv" == without_table(out, "label")
    listed = table(summary.without)
    assert [(row["id"], row["reason"]) for row in listed] == [
        ("c, d", "empty report"),
        ("e", "only de-identification marks"),
        ("f", NO_TERM),
        ("g", NO_FINDING),
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "labels.csv",
        "labels.without-label.csv",
    ]
    summary = write_labels(out, "study", "nih14", rows[:2])
    assert summary.without.read_bytes() == b"id,reason\n"
    assert summary.without.name not in str(summary)


def test_half_a_surrogate_in_an_id_is_escaped(tmp_path: Path) -> None:
    ids = ["a\ud800", "\udfffb"]
    graphs = {ids[0]: extract("No effusion."), ids[1]: Graph("")}
    summary = write_labels(
        tmp_path / "labels.csv", "id", "nih14", label_graphs(graphs.items(), "nih14")
    )
    assert [row["id"] for row in table(summary.out)] == ["a\\ud800", "\\udfffb"]
    assert [row["id"] for row in table(summary.without)] == ["\\udfffb"]


def test_any_number_of_processes_writes_the_same_bytes(tmp_path: Path) -> None:
    reports = [ReportText(f"{r.id}{i}", f"{r.text}") for i in range(60) for r in REPORTS]
    written = []
    for processes in (1, 2, 3):
        account = Account()
        rows = label_reports(iter(reports), "chexpert14", account, processes)
        out = tmp_path / f"{processes}.csv"
        summary = write_labels(out, "id", "chexpert14", rows)
        written.append((out.read_bytes(), summary.counts, summary.unlabelled, account))
    assert written[0] == written[1] == written[2]


def test_every_cell_is_the_label_of_the_reports_graph() -> None:
    for row, report in zip(label_reports(REPORTS, "phantom", Account()), REPORTS, strict=True):
        expected = finding_labels(extract(report.text), "phantom")
        found = dict(zip(finding_names("phantom"), row.cells, strict=True))
        assert {name: float(cell) for name, cell in found.items() if cell} == expected


def test_a_users_terms_count(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('[finding]\neffusion = ["wet chest"]', encoding="utf-8")
    reports = [ReportText("a", "No wet chest.")]
    for lexicon, cell in ((None, ""), (load_lexicon(path), "0")):
        (row,) = label_reports(reports, "nih14", Account(), 1, lexicon)
        assert row.cells[finding_names("nih14").index("Effusion")] == cell


def test_graphs_from_anywhere_are_labelled_and_their_sections_joined() -> None:
    graphs = {
        "s1/findings": extract("Small effusion."),
        "s2": extract("No edema."),
        "s1/impression": extract("No effusion. Right lower lobe pneumonia."),
        "p1/s3": Graph("nothing"),
    }
    whole = whole_reports(graphs)
    assert list(whole) == ["s1", "s2", "p1/s3"]
    assert whole["s1"] == extract("Small effusion. No effusion. Right lower lobe pneumonia.")
    rows = list(label_graphs([*whole.items(), ("s4", None)], "nih14"))
    names = finding_names("nih14")
    said = [{n: c for n, c in zip(names, row.cells, strict=True) if c} for row in rows]
    assert said == [{"Effusion": "1", "Pneumonia": "1"}, {"Edema": "0"}, {}, {}]
    assert [row.reason for row in rows] == ["", "", "a graph without entities", "no graph"]


def test_a_table_is_whole_or_absent(tmp_path: Path) -> None:
    out = tmp_path / "labels.csv"

    def rows():
        yield from label_reports(REPORTS[:2], "nih14", Account())
        raise SourceError("row 3: no")

    with pytest.raises(SourceError):
        write_labels(out, "id", "nih14", rows())
    assert list(tmp_path.iterdir()) == []
    out.write_text("before")
    with pytest.raises(SourceError):
        write_labels(out, "id", "nih14", rows())
    assert out.read_text() == "before"
    write_labels(out, "id", "nih14", [LabelRow("a", ("",) * 14, NO_FINDING)])
    assert table(out)[0]["id"] == "a"


def test_a_folder_that_takes_no_file_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "labels.csv"

    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(GraphError, match=r"labels\.csv: cannot be written \(Permission denied\)"):
        write_labels(out, "id", "nih14", [])


def test_what_cannot_be_written_is_refused(tmp_path: Path) -> None:
    for out in (tmp_path, tmp_path / "none" / "labels.csv"):
        with pytest.raises(GraphError, match="is a folder or stands in none"):
            write_labels(out, "id", "nih14", [])
    with pytest.raises(GraphError, match="'Mass' is named as a finding"):
        write_labels(tmp_path / "x.csv", "Mass", "nih14", [])
    with pytest.raises(GraphError, match="did you mean 'nih14'"):
        next(label_reports(REPORTS, "nih-14", Account()))


def test_reports_without_an_entity_have_the_reasons_of_the_graphs() -> None:
    texts = ["", "___", "12, 3.", "Thank you.", "History of pneumonia.", "INDICATION: edema?"]
    reports = [ReportText(str(number), text) for number, text in enumerate(texts)]
    of_graphs = [entry.reason for chunk in Rules().entries([reports]) for entry in chunk]
    of_labels = [row.reason for row in label_reports(reports, "nih14", Account())]
    assert of_labels == of_graphs
    assert len({*of_labels}) == len(texts)


def test_graphs_without_words_have_the_same_reasons() -> None:
    texts = ["", "___", "12, 3 ."]
    rows = label_graphs(((text, Graph(text)) for text in texts), "nih14")
    reports = [ReportText(text, text) for text in texts]
    expected = [entry.reason for chunk in Rules().entries([reports]) for entry in chunk]
    assert [row.reason for row in rows] == expected
