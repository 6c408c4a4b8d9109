"""Tables on disk as rows of text: CSV, TSV, JSON lines (also gzipped) and Parquet."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from radpair.errors import SourceError, nearest

CELL_LIMIT = 16 << 20
"""Characters in one cell; the csv module refuses reports above 131,072 by itself."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its number as a spreadsheet shows it, and the cells that were asked for."""

    number: int
    cells: dict[str, str]


def read_rows(file: Path, columns: Sequence[str]) -> list[Row]:
    """The rows of a table with the cells of ``columns`` as stripped text, empty where missing.

    Row numbers count from 1; the header of a CSV or TSV file is row 1.
    Raises ``SourceError`` for a missing file, an unknown format, a missing column (with the
    nearest name), a damaged file or row.
    """
    if not file.is_file():
        raise SourceError(f"{file}: there is no such file; check the path of the table")
    kind = [suffix.lower() for suffix in file.suffixes if suffix.lower() != ".gz"][-1:]
    reader = READERS.get(kind[0] if kind else "")
    if reader is None:
        raise SourceError(
            f"{file}: is no table that radpair knows; give one that ends in {', '.join(READERS)}"
        )
    try:
        return [Row(number, cells) for number, cells in reader(file, columns)]
    except SourceError:
        raise
    except UnicodeDecodeError as error:
        raise SourceError(
            f"{file}: is not UTF-8 text (byte {error.start}); save it with UTF-8 encoding"
        ) from error
    except (OSError, EOFError) as error:
        raise SourceError(f"{file}: cannot be read ({error}); check the file") from error


def _csv(file: Path, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    yield from _separated(file, columns, ",")


def _tsv(file: Path, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    yield from _separated(file, columns, "\t")


def _separated(
    file: Path, columns: Sequence[str], delimiter: str
) -> Iterator[tuple[int, dict[str, str]]]:
    before = csv.field_size_limit(CELL_LIMIT)
    number = 1
    try:
        with _text(file) as handle:
            rows = csv.reader(handle, delimiter=delimiter, strict=True)
            header = [name.strip() for name in next(rows, [])]
            places = _places(file, header, columns)
            for number, cells in enumerate(rows, 2):
                if not cells:
                    continue
                if len(cells) != len(header):
                    raise SourceError(
                        f"{file}, row {number}: has {len(cells)} cells where the header has "
                        f"{len(header)}; mend the row"
                    )
                yield number, {name: cells[place].strip() for name, place in places.items()}
    except csv.Error as error:
        raise SourceError(f"{file}, row {number + 1}: {error}; mend the row") from error
    finally:
        csv.field_size_limit(before)


def _places(file: Path, header: Sequence[str], columns: Sequence[str]) -> dict[str, int]:
    if not header:
        raise SourceError(f"{file}: is empty; give a table with a header")
    check_columns(file, header, columns)
    for name in columns:
        if header.count(name) > 1:
            raise SourceError(f"{file}: has the column '{name}' twice; rename one")
    return {name: header.index(name) for name in columns}


def check_columns(file: Path, known: Sequence[str], columns: Sequence[str]) -> None:
    """Raises ``SourceError`` naming the first column that is not there, and the nearest."""
    for name in columns:
        if name not in known:
            raise SourceError(f"{file}: has no column '{name}'{nearest(name, known)}")


def _json_lines(file: Path, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    seen: set[str] = set()
    found: list[tuple[int, dict[str, str]]] = []
    with _text(file) as handle:
        for number, line in enumerate(handle, 1):
            if not line.strip():
                continue
            row = _object(file, number, line)
            seen |= row.keys()
            found.append((number, {name: _cell(file, number, name, row) for name in columns}))
    if not found:
        raise SourceError(f"{file}: is empty; give a table with one JSON object a line")
    check_columns(file, sorted(seen), columns)
    yield from found


def _object(file: Path, number: int, line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise SourceError(f"{file}, row {number}: is not JSON ({error}); mend the row") from error
    if not isinstance(row, dict):
        raise SourceError(f"{file}, row {number}: is not a JSON object; mend the row")
    return row


def _parquet(file: Path, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(file)
        check_columns(file, table.schema_arrow.names, columns)
        number = 0
        for batch in table.iter_batches(columns=list(dict.fromkeys(columns))):
            for row in batch.to_pylist():
                number += 1
                yield number, {name: _cell(file, number, name, row) for name in columns}
    except pa.ArrowException as error:
        raise SourceError(f"{file}: is not a readable Parquet file; write it again") from error


def _cell(file: Path, number: int, name: str, row: dict[str, Any]) -> str:
    """Text of a typed value: true is 1, a whole float loses its point, null is empty."""
    value = row.get(name)
    if value is None or value != value:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, (list, dict, bytes)):
        raise SourceError(
            f"{file}, row {number}, column '{name}': holds a {type(value).__name__} where text "
            "or a number is needed; flatten the column"
        )
    return str(value).strip()


@contextmanager
def _text(file: Path) -> Iterator[TextIO]:
    if file.suffix.lower() == ".gz":
        with gzip.open(file, "rb") as raw, io.TextIOWrapper(raw, "utf-8-sig", newline="") as text:
            yield text
    else:
        with file.open(encoding="utf-8-sig", newline="") as text:
            yield text


Reader = Callable[[Path, Sequence[str]], Iterator[tuple[int, dict[str, str]]]]
READERS: dict[str, Reader] = {
    ".csv": _csv,
    ".tsv": _tsv,
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".parquet": _parquet,
}
