"""Which separator a table has: commas, semicolons as some spreadsheets write them, or tabs."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radpair.errors import SourceError
from radpair.sources.reports import ReportText, read_reports
from radpair.sources.tabular import column_names, read_rows

CELLS = st.text("ab,;\"'\n 1.5", max_size=8)


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=4), st.sampled_from(",;"))
def test_both_separators_give_the_same_rows(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], separator: str
) -> None:
    path = tmp_path_factory.mktemp("t") / "t.csv"
    for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_ALL):
        with path.open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.writer(file, delimiter=separator, quoting=quoting)
            writer.writerows([("id", "text"), *rows])
        assert column_names(path) == ["id", "text"]
        found = [tuple(row.cells.values()) for row in read_rows(path, ["id", "text"])]
        assert found == [(one.strip(), other.strip()) for one, other in rows]


def test_reports_of_a_spreadsheet_with_semicolons(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text('id;text\na;"No effusion, no edema."\nb;Clear, 4,5 cm\n')
    assert list(read_reports(path)) == [
        ReportText("a", "No effusion, no edema."),
        ReportText("b", "Clear, 4,5 cm"),
    ]


WRONG = {
    "t.csv": ("id\ttext\n", "separated by tabs; give it a name that ends in .tsv"),
    "t.tsv": ("id,text\n", "separated by ','; give it a name that ends in .csv"),
    "u.tsv": ("id;text\n", "separated by ';'; give it a name that ends in .csv"),
    "short.csv": ("id;text\na;b;c\n", "row 2: has 3 cells where the header has 2"),
    "mixed.csv": ("id;findings, impression\n", "holds ';'"),
}


@pytest.mark.parametrize("name", WRONG)
def test_another_separator_is_named(name: str, tmp_path: Path) -> None:
    content, words = WRONG[name]
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(SourceError) as caught:
        read_rows(path, ["id", "text"])
    assert words in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_header_of_one_name_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("id\na\n")
    assert [row.cells for row in read_rows(path, ["id"])] == [{"id": "a"}]
