"""Whose study is whose: from a column, or from the path that is the study's id."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from radpair.comparison.tables import ID_COLUMNS, id_column_of, patients_of
from radpair.errors import SourceError
from radpair.sources.tabular import column_names, read_rows


def patients_for(
    ids: Sequence[str],
    files: Sequence[Path],
    column: str | None,
    id_columns: Sequence[str] = ID_COLUMNS,
) -> list[str]:
    """The patient of every study of ``ids``, by ``column`` of whichever of ``files`` has it.

    Without ``column``: ``patients_of``. Raises ``SourceError`` where no file has the column, a
    study's cell is blank, or two files name different patients for a study.
    """
    if column is None:
        return patients_of(ids)
    holding = [file for file in files if column in column_names(file)]
    if not holding:
        raise SourceError(
            f"{' and '.join(map(str, files))}: no column '{column}' with the patients "
            "(--patient-column); add it to one of these files, or leave the option out"
        )
    found: dict[str, str] = {}
    for file in holding:
        name = id_column_of(file, id_columns)
        for row in read_rows(file, (name, column)):
            study, patient = row.cells[name], row.cells[column]
            if not patient:
                raise SourceError(
                    f"{file}, row {row.number}, column '{column}': is blank; fill in the patient"
                )
            if found.setdefault(study, patient) != patient:
                raise SourceError(
                    f"{file}, row {row.number}: '{study}' is of patient '{patient}', but of "
                    f"'{found[study]}' in {holding[0]}; mend one of them"
                )
    return [found[study] for study in ids]
