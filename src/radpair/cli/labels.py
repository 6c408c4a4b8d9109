"""``radpair labels``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


def labels(
    data: Path,
    /,
    *,
    scheme: str,
    out: Path | None = None,
    id_column: str | None = None,
    text_columns: Annotated[
        tuple[str, ...], Parameter(name=["--text-column", "--text-columns"], consume_multiple=True)
    ] = (),
    origin: Annotated[str | None, Parameter(name="--from")] = None,
    lexicon: Path | None = None,
    processes: int | None = None,
) -> None:
    """Write the findings that each report states: 1 present, 0 absent, -1 uncertain, blank.

    Reports without a label are listed with their reason in OUT.without-label.csv.

    Args:
        data: A study set; a table of reports (CSV, TSV, JSONL, Parquet); a folder of .txt files or
            of Open-i's XML; or RadGraph's JSON.
        scheme: The findings: nih14, chexpert14 or phantom.
        out: The table to write (.csv); SET/labels-SCHEME.csv for a study set if not given.
        id_column: Column of a table with an id for each report; 'id' if not given.
        text_columns: Columns of a table with the report, whole or a section each; 'text' if not
            given.
        origin: 'rules' reads the reports, 'graphs' takes the graphs of a study set or of a file;
            rules if not given, graphs for a .json file.
        lexicon: Your own terms (TOML), put over the shipped ones.
        processes: Worker processes; every core if not given.
    """
    from radpair.processes import check_count, cpus
    from radpair.progress import counting
    from radpair.studyset.labelling import label

    check_count("--processes", processes)
    with counting("labels") as progress:
        summary = label(
            data,
            scheme,
            out,
            id_column=id_column,
            text_columns=text_columns,
            origin=origin,
            lexicon=lexicon,
            processes=processes or cpus(),
            progress=progress,
        )
    print(summary)
