"""Labels as tables write them: columns of 0, 1, -1, or one column of joined names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from radpair.errors import SourceError
from radpair.records import ABSENT, NOT_GIVEN, PRESENT, UNCERTAIN
from radpair.sources.tabular import Row

BLANK = frozenset({"", "nan", "na", "n/a", "none", "null"})
NUMBERS = {PRESENT, ABSENT, UNCERTAIN}
ANSWERS = frozenset(
    {"yes", "no", "y", "n", "true", "false", "t", "f", "positive", "negative", "present", "absent"}
)
"""Words that answer a question and are no label's name."""
BOOLEANS = {"true": PRESENT, "false": ABSENT}
"""As spreadsheets and data frames write them."""


def is_blank(text: str) -> bool:
    """Whether a cell says that nothing is known."""
    return text.lower() in BLANK


def row_labels(
    file: Path, rows: Sequence[Row], columns: Sequence[str], separator: str
) -> list[dict[str, float]]:
    """The labels of every row: 1 present, 0 absent, -1 uncertain, NaN not given.

    Several columns hold numbers, one label each. One column holds numbers, or label names joined
    by ``separator``; then every name of the column is a label, in alphabetical order, and a row
    has 1 for those it names, 0 for the others, and NaN when it is blank.
    Raises ``SourceError`` naming the row of a value that is none of these.
    """
    if len(columns) == 1 and _holds_names(row.cells[columns[0]] for row in rows):
        return _named(file, rows, columns[0], separator)
    return [{name: number(file, row, name) for name in columns} for row in rows]


def _holds_names(cells: Iterable[str]) -> bool:
    given = [cell for cell in cells if not is_blank(cell)]
    return bool(given) and not any(_is_number(cell) or cell.lower() in ANSWERS for cell in given)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def number(file: Path, row: Row, column: str) -> float:
    """The label in one cell: 1 or true, 0 or false, -1, or NaN where it is blank.

    Raises ``SourceError``.
    """
    text = row.cells[column]
    if is_blank(text):
        return NOT_GIVEN
    if text.lower() in BOOLEANS:
        return BOOLEANS[text.lower()]
    if not _is_number(text) or float(text) not in NUMBERS:
        raise SourceError(
            f"{file}, row {row.number}, column '{column}': the label '{text[:40]}' is none of 1 "
            "(present), 0 (absent), -1 (uncertain) and blank (not given); mend the value"
        )
    return float(text)


def _named(file: Path, rows: Sequence[Row], column: str, separator: str) -> list[dict[str, float]]:
    named = [
        None if is_blank(row.cells[column]) else _names(file, row, column, separator)
        for row in rows
    ]
    labels = sorted({name for names in named if names for name in names})
    return [
        {name: NOT_GIVEN if names is None else float(name in names) for name in labels}
        for names in named
    ]


def _names(file: Path, row: Row, column: str, separator: str) -> set[str]:
    names = [name.strip() for name in row.cells[column].split(separator)]
    if "" in names:
        raise SourceError(
            f"{file}, row {row.number}, column '{column}': an empty label name in "
            f"'{row.cells[column][:60]}'; mend the value or give another label separator"
        )
    return set(names)
