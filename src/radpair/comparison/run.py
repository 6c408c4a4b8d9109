"""Files in, figures out: what ``radpair readers`` does."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from radpair import __version__
from radpair.comparison.before import check_folder, check_readers_before
from radpair.comparison.reader_patients import patients_for
from radpair.comparison.readers import Model, Panel, compare
from radpair.comparison.readers_csv import table
from radpair.comparison.readers_page import render
from radpair.comparison.readers_text import markdown
from radpair.comparison.tables import (
    FIVE,
    ID_COLUMNS,
    Sheet,
    aligned,
    read_labels,
    read_scores,
    read_thresholds,
)
from radpair.errors import EvaluationError
from radpair.evaluation.operating import STANDARD, point_words, read_point
from radpair.evaluation.statistics import Floats, given_labels
from radpair.evaluation.thresholds import choose_thresholds
from radpair.models.folder import write_atomically

RESULTS = "readers.json"
NO_THRESHOLDS = (
    "not given, because a threshold chosen on this truth would flatter the model; give "
    "--thresholds, or --validation-truth and --validation-predictions of other patients"
)


@dataclass(frozen=True)
class Cutoffs:
    """Where the model's thresholds come from: given, or chosen on validation, or nowhere."""

    given: Sequence[str] = ()
    """A file, or texts ``label=value``."""
    validation_truth: Path | None = None
    validation_predictions: Path | None = None
    objective: str = "mcc"
    """What is best on validation (``radpair.evaluation.operating``)."""


def compare_readers(
    truth: Path,
    readers: Sequence[Path],
    predictions: Path | None = None,
    cutoffs: Cutoffs | None = None,
    labels: Sequence[str] = FIVE,
    id_columns: Sequence[str] = ID_COLUMNS,
    resamples: int = 1000,
    seed: int = 0,
    patient_column: str | None = None,
) -> dict[str, Any]:
    """The result of ``radpair.comparison.readers.compare`` for files, with their hashes.

    ``patient_column`` names the patients in the truth or the predictions; without it they are read
    from the ids. It adds ``"files"``: truth, readers, predictions, thresholds and validation files
    with their sha256, and ``"radpair"``: the version. Raises ``SourceError`` or
    ``EvaluationError`` with one sentence that names the file, the rows and the remedy.
    """
    names = tuple(dict.fromkeys(labels))
    cutoffs = cutoffs or Cutoffs()
    read_point(cutoffs.objective, "--threshold-objective")
    _check_names(readers, predictions, cutoffs)
    sheet = read_labels(truth, names, id_columns)
    panel = Panel(
        names,
        sheet.ids,
        patients_for(sheet.ids, _given(truth, predictions), patient_column, id_columns),
        sheet.values,
        {file.stem: aligned(read_labels(file, names, id_columns), sheet) for file in readers},
        patient_column is not None,
    )
    model = None
    if predictions is not None:
        scores = aligned(read_scores(predictions, names, id_columns), sheet)
        values, origin = _thresholds(cutoffs, panel, id_columns, patient_column)
        if cutoffs.given and values is not None:
            _check_scale(values, scores, names, predictions)
        model = Model(predictions.stem, scores, values, origin)
    found = compare(panel, model, resamples, seed)
    validation = (cutoffs.validation_truth, cutoffs.validation_predictions)
    used = [truth, *readers, predictions, *validation, *map(Path, cutoffs.given[:1])]
    files = {str(file): _sha256(file) for file in used if file is not None and file.is_file()}
    found["warnings"] = _copies(truth, readers, files) + found["warnings"]
    return {**found, "truth": truth.stem, "files": files, "radpair": __version__}


def _copies(truth: Path, readers: Sequence[Path], files: Mapping[str, str]) -> list[str]:
    """Warnings of readers whose file is that of the truth, or of another reader."""
    told, first = [], {files[str(truth)]: f"the truth, {truth}"}
    for file in readers:
        content = files[str(file)]
        if content in first:
            told.append(
                f"{file.stem}: {file} is byte by byte {first[content]}; is it the right file? Its "
                "figures say nothing of a reader of its own."
            )
        first.setdefault(content, f"the reader {file}")
    return told


def write_results(found: dict[str, Any], out: Path) -> list[Path]:
    """Writes ``readers.json``, ``.csv``, ``.md`` and ``.html`` into the folder ``out``.

    Raises ``EvaluationError`` where that would replace another comparison or a file it rests on.
    """
    check_folder(out)
    contents = {
        RESULTS: json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False) + "\n",
        "readers.csv": table(found),
        "readers.md": markdown(found),
        "readers.html": render(found),
    }
    for written in map(out.joinpath, contents):
        if any(written.exists() and written.samefile(file) for file in found["files"]):
            raise EvaluationError(
                f"{written}: is what the command reads and would be replaced; choose another --out"
            )
    check_readers_before(out / RESULTS, found)
    for name, content in contents.items():
        write_atomically(out / name, content.encode())
    return [out / name for name in contents]


def _check_names(readers: Sequence[Path], predictions: Path | None, cutoffs: Cutoffs) -> None:
    stems = [file.stem for file in readers]
    for stem in stems:
        if stems.count(stem) > 1:
            raise EvaluationError(f"two readers are called '{stem}'; rename one of their files")
    pair = (cutoffs.validation_truth, cutoffs.validation_predictions)
    if (pair[0] is None) != (pair[1] is None):
        raise EvaluationError(
            "give both --validation-truth and --validation-predictions, or neither"
        )
    if pair[0] is not None and cutoffs.given:
        raise EvaluationError(
            "thresholds are given and to be chosen on validation; drop --thresholds or the "
            "validation files"
        )
    if pair[0] is None and cutoffs.objective != STANDARD:
        raise EvaluationError(
            f"--threshold-objective {cutoffs.objective} chooses thresholds on validation studies; "
            "give --validation-truth and --validation-predictions, or leave it out"
        )
    if predictions is None and (pair[0] is not None or cutoffs.given):
        raise EvaluationError("thresholds need the scores they cut; give --predictions")


def _thresholds(
    cutoffs: Cutoffs, panel: Panel, id_columns: Sequence[str], patient_column: str | None
) -> tuple[Floats | None, str]:
    """The thresholds ``[labels]``, and in words where they come from."""
    if cutoffs.given:
        origin = cutoffs.given[0] if len(cutoffs.given) == 1 else "the command line"
        return read_thresholds(cutoffs.given, panel.labels), f"given by {origin}"
    if cutoffs.validation_truth is None or cutoffs.validation_predictions is None:
        return None, NO_THRESHOLDS
    truth = read_labels(cutoffs.validation_truth, panel.labels, id_columns)
    scores = aligned(read_scores(cutoffs.validation_predictions, panel.labels, id_columns), truth)
    values = choose_thresholds(
        scores,
        given_labels(truth.values, truth.ids, panel.labels),
        patients_for(
            truth.ids,
            _given(cutoffs.validation_truth, cutoffs.validation_predictions),
            patient_column,
            id_columns,
        ),
        panel.patients,
        *read_point(cutoffs.objective, "--threshold-objective"),
    )
    _check_chosen(values, truth, panel.labels)
    return values, (
        f"{point_words(cutoffs.objective)} on {len(truth.ids):,} validation studies "
        f"({cutoffs.validation_truth})"
    )


def _given(*files: Path | None) -> list[Path]:
    return [file for file in files if file is not None]


def _check_scale(values: Floats, scores: Floats, labels: Sequence[str], file: Path) -> None:
    """Refuses a threshold that no probability reaches where the scores are probabilities."""
    for label, cut, column in zip(labels, values, scores.T, strict=True):
        if column.min() >= 0 and column.max() <= 1 and not 0 <= cut <= 1:
            raise EvaluationError(
                f"--thresholds: that of '{label}' is {cut:g}, but all scores of {file} lie between "
                "0 and 1; give it on the scale of the scores"
            )


def _check_chosen(values: Floats, truth: Sheet, labels: Sequence[str]) -> None:
    undefined = np.flatnonzero(np.isnan(values))
    if len(undefined):
        raise EvaluationError(
            f"{truth.file}: holds one class only of '{labels[undefined[0]]}', so no threshold can "
            "be chosen for it; give --thresholds, a larger validation set, or leave it out of "
            "--labels"
        )


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
