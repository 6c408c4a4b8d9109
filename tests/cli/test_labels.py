"""``radpair labels`` as a user types it."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from radpair.cli import main
from radpair.graphs import extract, finding_names
from radpair.graphs.radgraph_json import write
from radpair.studyset import StudySet

SHARED = Path(__file__).parents[2] / ".." / "shared" / "data"
ONE = ("--processes", "1")


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    message = capsys.readouterr().err.strip().splitlines()
    assert len(message) == 1
    return message[0]


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    path = tmp_path / "reports.csv"
    path.write_text("acc,text\n7,No effusion.\n9,Possible pneumonia.\n", encoding="utf-8")
    return path


def test_a_table_of_reports(reports: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = reports.with_name("labels.csv")
    given = ["--id-column", "acc", "--text-column", "text", "--scheme", "nih14", "--out", str(out)]
    main(["labels", str(reports), *given, *ONE])
    rows = table(out)
    assert list(rows[0]) == ["acc", *finding_names("nih14")]
    assert [(r["acc"], r["Effusion"], r["Pneumonia"]) for r in rows] == [
        ("7", "0", ""),
        ("9", "", "-1"),
    ]
    assert "not mentioned" in capsys.readouterr().out


def test_a_study_set_keeps_its_labels_and_stays_sound(
    disc_set: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["labels", str(disc_set), "--scheme", "chexpert14", *ONE])
    out = disc_set / "labels-chexpert14.csv"
    main(["verify", str(disc_set)])
    assert "sound" in capsys.readouterr().out
    by_rules = table(out)
    assert [row["study_id"] for row in by_rules] == StudySet.open(disc_set).study_ids
    main(["labels", str(disc_set), "--scheme", "chexpert14", "--from", "graphs", *ONE])
    assert [row["study_id"] for row in table(out)] == [row["study_id"] for row in by_rules]
    out.unlink()


def test_a_file_of_graphs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = tmp_path / "graphs.json", tmp_path / "labels.csv"
    write(path, {"s1": extract("No edema."), "s2": extract("Large effusion.")})
    main(["labels", str(path), "--scheme", "nih14", "--out", str(out)])
    assert [(r["id"], r["Edema"], r["Effusion"]) for r in table(out)] == [
        ("s1", "0", ""),
        ("s2", "", "1"),
    ]
    assert "labels: 2/2" in capsys.readouterr().err


def test_mistakes_are_one_sentence(
    reports: Path, disc_set: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start = ["labels", str(reports), *ONE]
    out = ["--out", str(reports.with_name("x.csv"))]
    nih = ["--scheme", "nih14"]
    assert "did you mean 'nih14'" in refused([*start, "--scheme", "nih15", *out], capsys)
    assert "give --out" in refused([*start, *nih], capsys)
    assert "--id-column, such as acc" in refused([*start, *nih, *out], capsys)
    assert "is what the command reads" in refused([*start, *nih, "--out", str(reports)], capsys)
    assert "did you mean 'rules'" in refused([*start, *nih, *out, "--from", "rule"], capsys)
    named = ["labels", str(disc_set), *nih, "--id-column", "x"]
    assert "name none" in refused(named, capsys)
    assert not reports.with_name("x.csv").exists()


@pytest.mark.skipif(not (SHARED / "cxr-notes").exists(), reason="no clinical notes here")
def test_clinical_notes_name_the_columns_that_could_serve(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    notes, out = SHARED / "cxr-notes" / "metadata.csv", tmp_path / "labels.csv"
    start = ["labels", str(notes), "--scheme", "chexpert14", "--out", str(out), *ONE]
    message = refused(start, capsys)
    assert "such as path" in message
    assert "such as clinical_notes" in message
    main([*start, "--id-column", "path", "--text-column", "clinical_notes"])
    assert len(table(out)) == 384
    assert "92 reports (empty report)" in capsys.readouterr().out


def test_defect_graphs_and_labels_of_one_name_listed_what_they_left_out_in_one_file(
    tmp_path: Path,
) -> None:
    reports = tmp_path / "reports.csv"
    reports.write_text("id,text\na,Edema.\nb,\nc,The lungs are hyperinflated.\n", encoding="utf-8")
    main(["graphs", str(reports), "--out", str(tmp_path / "x.json"), *ONE])
    main(["labels", str(reports), "--scheme", "nih14", "--out", str(tmp_path / "x.csv"), *ONE])
    listed = {
        path.name: [row["id"] for row in table(path)] for path in tmp_path.glob("x.without*.csv")
    }
    assert listed == {"x.without-entity.csv": ["b"], "x.without-label.csv": ["b", "c"]}
