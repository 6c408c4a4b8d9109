"""Counts and ids by kind, and never the text unless it is asked for."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from gradients import Gradients

from radpair.cli import main
from radpair.errors import StudySetError
from radpair.studyset import write
from radpair.studyset.scanning import scan

REPORTS = {
    "r1": "Discussed with Dr. Okafor on 03/14/2019. Prior of 2018-02-03.",
    "r2": "No acute disease.",
    "r3": "MRN: 4471122. Call 617-555-0123.",
    "r4": "",
}
SECRETS = ("Okafor", "03/14", "2018", "4471122", "0123")


class Named(Gradients):
    """A report in ten names the day."""

    def report(self, number: int) -> str:
        return "Film of March 14, 2019." if number % 10 == 0 else super().report(number)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    with (tmp_path / "reports.csv").open("w", newline="") as handle:
        rows = csv.writer(handle)
        rows.writerows([("id", "text"), *REPORTS.items()])
    return tmp_path / "reports.csv"


def test_counts_and_ids_without_text(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = table.parent / "found.csv"
    main(["scan", str(table), "--out", str(out)])
    printed = capsys.readouterr().out
    for line in (
        "3 reports read",
        "name: 1 in 1 report: r1",
        "date: 2 in 1 report: r1",
        "telephone: 1 in 1 report: r3",
        "record number: 1 in 1 report: r3",
    ):
        assert line in printed
    assert not [secret for secret in SECRETS if secret in printed + out.read_text()]
    with out.open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    spans = [REPORTS[row["id"]][int(row["start"]) : int(row["end"])] for row in rows]
    assert spans == ["Okafor", "03/14/2019", "2018-02-03", "MRN: 4471122", "617-555-0123"]
    main(["scan", str(table), "--out", str(out), "--show"])
    printed = capsys.readouterr().out
    assert all(secret in printed and secret in out.read_text() for secret in SECRETS)


def test_a_study_set_and_its_ids(tmp_path: Path) -> None:
    write(Named(40, faults=False), tmp_path / "set", size=32, processes=1)
    found = scan(tmp_path / "set")
    assert found.ids == {"date": ["s00000", "s00010", "s00020", "s00030"]}
    assert found.reports == 40
    with pytest.raises(StudySetError, match="knows its columns"):
        scan(tmp_path / "set", id_column="id")


def test_nothing_found_and_refusals(table: Path, tmp_path: Path) -> None:
    plain = tmp_path / "plain.txt"
    plain.write_text("Clear lungs.")
    assert "nothing was found in 1 report" in str(scan(plain))
    for out, reason in (
        (tmp_path / "x.txt", "ending in .csv"),
        (tmp_path / "no" / "x.csv", "a folder that exists"),
        (table, "is the table of reports itself"),
    ):
        with pytest.raises(StudySetError, match=reason):
            scan(table, out)
