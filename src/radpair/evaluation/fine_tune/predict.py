"""``radpair predict``: a saved classifier's probabilities for the studies of a set."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import torch

from radpair.errors import EvaluationError, ModelError, nearest
from radpair.evaluation.budgets import Indices
from radpair.evaluation.fine_tune.folder import SavedClassifier, load_classifier
from radpair.evaluation.policies import AGGREGATIONS
from radpair.evaluation.statistics import Floats
from radpair.models.folder import write_atomically
from radpair.records import SPLITS
from radpair.studyset import StudySet

SEPARATE = "separate"


def write_predictions(
    folder: Path,
    data: Path,
    out: Path,
    split: str = "all",
    device: str = "cpu",
    views: str | None = None,
) -> str:
    """Writes ``study_id``, ``patient_id`` and a probability column for each label as CSV.

    Says what was written.

    ``split`` is ``all`` or one of the set's. The columns' names are the labels'. A study has the
    ``mean`` or the ``max`` of its images' probabilities (``views``; that of the classifier's own
    figures if not given); ``separate`` writes one row an image, with its path in the column
    ``image``. Raises ``EvaluationError``, ``ModelError`` or ``StudySetError``.
    """
    _check(out, split, device, views)
    saved = load_classifier(folder, device)
    studies = StudySet.open(data)
    chosen = np.arange(len(studies)) if split == "all" else studies.split(split)
    if not len(chosen):
        raise EvaluationError(f"{data}: no study is in the split '{split}'; choose another --split")
    table = _images if views == SEPARATE else _studies
    head, rows = table(saved, studies, chosen, views)
    text = io.StringIO()
    written = csv.writer(text, lineterminator="\n")
    written.writerow([*head, *saved.task.names])
    written.writerows(rows)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(out, text.getvalue().encode())
    told = [f"{out}: {_counted(studies, chosen, views)}, {len(saved.task.names)} labels"]
    if views not in (None, saved.views):
        told.append(
            f"its thresholds and figures are for the {saved.views} of a study's images, not for "
            f"these rows (--views {views})"
        )
    learned = int((studies.splits[chosen] == "train").sum())
    if learned and studies.content_hash == saved.origin.get("study_set"):
        told.append(
            f"{learned:,} of them are in the split 'train', from which this classifier learned: "
            "leave them out of any figure (--split test)"
        )
    return "\n".join(told)


_Table = tuple[tuple[str, ...], list[list[str]]]


def _studies(
    saved: SavedClassifier, studies: StudySet, chosen: Indices, views: str | None
) -> _Table:
    """A row a study."""
    scores = saved.predict(studies, chosen, views)
    rows = [
        [studies.study_ids[study], studies.patient_ids[study], *_line(line)]
        for study, line in zip(chosen, scores, strict=True)
    ]
    return ("study_id", "patient_id"), rows


def _images(
    saved: SavedClassifier, studies: StudySet, chosen: Indices, views: str | None
) -> _Table:
    """A row an image."""
    scores = saved.predict_images(studies, chosen)
    images = [(study, image) for study in chosen for image in studies.images_of(int(study))]
    rows = [
        [
            *(studies.study_ids[study], studies.patient_ids[study], studies.image_paths[image]),
            *_line(line),
        ]
        for (study, image), line in zip(images, scores, strict=True)
    ]
    return ("study_id", "patient_id", "image"), rows


def _line(scores: Floats) -> list[str]:
    return [f"{value:.9g}" for value in scores]


def _counted(studies: StudySet, chosen: Indices, views: str | None) -> str:
    if views == SEPARATE:
        return f"{int(studies.image_count[chosen].sum()):,} images of {len(chosen):,} studies"
    return f"{len(chosen):,} studies"


def _check(out: Path, split: str, device: str, views: str | None) -> None:
    if out.suffix != ".csv" or out.is_dir():
        raise EvaluationError(f"{out}: name a file with the ending .csv")
    if split not in (*SPLITS, "all"):
        raise EvaluationError(f"--split '{split}' is not known{nearest(split, (*SPLITS, 'all'))}")
    known = (*AGGREGATIONS, SEPARATE)
    if views is not None and views not in known:
        raise EvaluationError(f"--views '{views}' is not known{nearest(views, known)}")
    if device not in ("cpu", "cuda") or (device == "cuda" and not torch.cuda.is_available()):
        raise ModelError(f"--device '{device}' is not to be had here; use cpu")
