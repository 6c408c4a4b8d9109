"""``radpair predict``: a saved classifier's probabilities for the studies of a set."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import torch

from radpair.errors import EvaluationError, ModelError, nearest
from radpair.evaluation.fine_tune.folder import load_classifier
from radpair.models.folder import write_atomically
from radpair.records import SPLITS
from radpair.studyset import StudySet


def write_predictions(
    folder: Path, data: Path, out: Path, split: str = "all", device: str = "cpu"
) -> str:
    """Writes ``study_id``, ``patient_id`` and a probability column for each label as CSV.

    Says what was written.

    ``split`` is ``all`` or one of the set's. The columns' names are the labels'. Raises
    ``EvaluationError``, ``ModelError`` or ``StudySetError``.
    """
    if out.suffix != ".csv" or out.is_dir():
        raise EvaluationError(f"{out}: name a file with the ending .csv")
    if split not in (*SPLITS, "all"):
        raise EvaluationError(f"--split '{split}' is not known{nearest(split, (*SPLITS, 'all'))}")
    if device not in ("cpu", "cuda") or (device == "cuda" and not torch.cuda.is_available()):
        raise ModelError(f"--device '{device}' is not to be had here; use cpu")
    saved = load_classifier(folder, device)
    studies = StudySet.open(data)
    chosen = np.arange(len(studies)) if split == "all" else studies.split(split)
    if not len(chosen):
        raise EvaluationError(f"{data}: no study is in the split '{split}'; choose another --split")
    scores = saved.predict(studies, chosen)
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["study_id", "patient_id", *saved.task.names])
    for study, line in zip(chosen, scores, strict=True):
        ids = studies.study_ids[study], studies.patient_ids[study]
        rows.writerow([*ids, *(f"{value:.9g}" for value in line)])
    out.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(out, text.getvalue().encode())
    told = f"{out}: {len(chosen):,} studies, {len(saved.task.names)} labels"
    learned = int((studies.splits[chosen] == "train").sum())
    if learned and studies.content_hash == saved.origin.get("study_set"):
        told += (
            f"\n{learned:,} of them are in the split 'train', from which this classifier learned: "
            "leave them out of any figure (--split test)"
        )
    return told
