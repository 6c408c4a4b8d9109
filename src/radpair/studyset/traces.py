"""What is in the quarantine of a set with pseudonyms, under its own names, beside the key.

Who mends a source needs the file that an entry means. A list of these lies where the key lies,
``KEY.quarantine.csv``, for all sets made with it, and only its owner may read it.
"""

from __future__ import annotations

import csv
import fcntl
import os
from collections.abc import Iterable
from pathlib import Path

import pyarrow.parquet as pq

from radpair.records import Study
from radpair.studyset.manifest import QUARANTINE
from radpair.studyset.privacy import Pseudonyms

ENDING = ".quarantine.csv"
COLUMNS = (
    *("set", "kind", "path", "source_path", "source_study", "source_patient"),
    *("row", "reason"),
)
"""``path`` is as in the set's own quarantine."""


def write_traces(
    names: Pseudonyms, studies: Iterable[Study], out: Path, place: Path, key: Path
) -> str:
    """Puts the quarantine of the set at ``place``, whose tables lie in ``out``, on the list.

    Entries of the same set are replaced, those of others stay. Gives the sentence for the summary,
    also where the list cannot be written; empty where nothing is in the quarantine.
    """
    entries = pq.read_table(out / QUARANTINE).to_pylist()
    file = key.with_name(key.name + ENDING)
    if not entries and not file.is_file():
        return ""
    rows = _rows(names, studies, entries, str(place))
    try:
        with key.open("rb") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            others = [row for row in _read(file) if row["set"] != str(place)]
            _write(file, [*others, *rows])
    except (OSError, UnicodeDecodeError, csv.Error, KeyError) as error:
        return (
            f"Which files the quarantine means could not be written to {file} ({error}); copy the "
            "key to a folder where you may write, and give the same command with it again."
        )
    return f"Which files the quarantine means: {file} (keep it as secret as the key)."


def _rows(
    names: Pseudonyms, studies: Iterable[Study], entries: list[dict[str, object]], place: str
) -> list[dict[str, object]]:
    wanted = {entry["study_id"] for entry in entries}
    known: dict[object, tuple[str, str, dict[str, str]]] = {}
    for study in studies if wanted else ():
        name = names.study(study.study_id)
        if name in wanted:
            paths = {f"{name}/{number}": view.path for number, view in enumerate(study.views)}
            known[name] = study.study_id, study.patient_id, paths
    rows: list[dict[str, object]] = []
    for entry in entries:
        study_id, patient, paths = known.get(entry["study_id"], ("", "", {}))
        rows.append(
            {
                **{name: entry[name] for name in ("kind", "path", "row", "reason")},
                "set": place,
                "source_path": paths.get(str(entry["path"]), ""),
                "source_study": study_id,
                "source_patient": patient,
            }
        )
    return rows


def _read(file: Path) -> list[dict[str, object]]:
    if not file.is_file():
        return []
    with file.open(encoding="utf-8", newline="") as handle:
        return [{name: row[name] for name in COLUMNS} for row in csv.DictReader(handle)]


def _write(file: Path, rows: list[dict[str, object]]) -> None:
    """Whole or not at all, never readable by others."""
    draft = file.with_name(f"{file.name}.{os.getpid()}.part")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as handle:
            writer = csv.DictWriter(handle, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
            handle.flush()
            os.fsync(handle.fileno())
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)
