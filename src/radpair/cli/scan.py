"""``radpair scan``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


def scan(
    data: Path,
    /,
    *,
    out: Path | None = None,
    id_column: str | None = None,
    text_columns: Annotated[
        tuple[str, ...], Parameter(name=["--text-column", "--text-columns"], consume_multiple=True)
    ] = (),
    show: bool = False,
) -> None:
    """Warn of names, dates, telephone numbers and the like in reports: counts and ids, no text.

    Args:
        data: A study set; a table of reports (CSV, TSV, JSONL, Parquet); a folder of .txt files or
            of Open-i's XML.
        out: A table (.csv) of every finding: the report's id, the kind, where it stands.
        id_column: Column of a table with an id for each report; 'id' if not given.
        text_columns: Columns of a table with the report; 'text' if not given.
        show: Print what was found too, and put it into the table.
    """
    from radpair.studyset.scanning import scan as found

    print(found(data, out, id_column=id_column, text_columns=text_columns, show=show))
