"""ConVIRT's 8x200 retrieval, read from the files in which its lists were published.

A folder holds ``query.csv`` and ``candidate.csv``. A query is its class (``Variable``) and an image
(``Path``) or a sentence (``Text``); a candidate is a row of CheXpert's own table: ``Path`` and one
column a label. The published lists have 200 candidates for each of 8 classes, 10 images and 5 texts
a class. Paths lead into CheXpert, whose images anyone who accepts its terms can download.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radpair import __version__
from radpair.errors import EvaluationError, ImageError, nearest
from radpair.evaluation.class_retrieval import class_retrieval
from radpair.evaluation.code import code_hash
from radpair.evaluation.features import Codes, frozen
from radpair.evaluation.run import RESAMPLES, Outcome, kept, open_models
from radpair.evaluation.tables import class_table
from radpair.images import decode
from radpair.models import Model
from radpair.progress import track

AT = (5, 10, 50)
FOLDERS = {"image": "image-retrieval", "text": "text-retrieval"}
_VALUES = {"1": 1.0, "0": 0.0, "-1": -1.0, "": 0.0}


@dataclass(frozen=True, slots=True)
class Lists:
    """Queries of several classes, and the images to be found."""

    folder: Path
    kind: str
    """What asks: ``image`` or ``text``."""
    classes: tuple[str, ...]
    """The class of each query."""
    queries: tuple[str, ...]
    """A path or a sentence each."""
    names: tuple[str, ...]
    """The classes that are asked for."""
    paths: tuple[str, ...]
    """Of the candidates."""
    truth: NDArray[np.float64]
    """``[candidates, names]``: 1, 0 (also where blank), -1 uncertain."""


def read_lists(folder: Path, kind: str = "image") -> Lists:
    """Reads the lists in ``folder``, or in its ``image-retrieval`` or ``text-retrieval``.

    Raises ``EvaluationError`` naming the file, row and column of a fault: a column or file that is
    missing, a label that is none of 1, 0, -1 and blank, a class without a column or a candidate, a
    candidate that stands twice or is itself a query, fewer than five candidates.
    """
    place = folder / FOLDERS[kind] if (folder / FOLDERS[kind]).is_dir() else folder
    asked_column = {"image": "Path", "text": "Text"}[kind]
    asked = _rows(place / "query.csv", ("Variable", asked_column))
    listed = _rows(place / "candidate.csv", ("Path",))
    classes = tuple(row["Variable"] for row in asked)
    names = tuple(dict.fromkeys(classes))
    header = [column for column in listed[0] if column != "Path"]
    for number, name in enumerate(classes, start=2):
        if name not in header:
            raise EvaluationError(
                f"{place / 'query.csv'}, row {number}: the class '{name}' has no column in "
                f"candidate.csv{nearest(name, header)}"
            )
    paths = tuple(row["Path"] for row in listed)
    if len(paths) < AT[0]:
        raise EvaluationError(
            f"{place / 'candidate.csv'}: has {len(paths)} candidate{'s' * (len(paths) > 1)}, and "
            f"precision at {AT[0]} needs {AT[0]} or more; give the whole list"
        )
    queries = tuple(row[asked_column] for row in asked)
    _check_paths(place, paths, queries if kind == "image" else ())
    truth = _truth(place / "candidate.csv", listed, names)
    for column, name in enumerate(names):
        if not (truth[:, column] == 1).any():
            raise EvaluationError(f"{place / 'candidate.csv'}: no candidate has '{name}'")
    return Lists(place, kind, classes, queries, names, paths, truth)


def _rows(path: Path, needed: Sequence[str]) -> list[dict[str, str]]:
    if not path.is_file():
        raise EvaluationError(
            f"there is no {path}: --lists takes a folder with query.csv and candidate.csv, or with "
            f"{' and '.join(FOLDERS.values())} that hold them"
        )
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file, strict=True)
            header = list(table.fieldnames or [])
            rows = [dict(row) for row in table]
    except (UnicodeDecodeError, csv.Error) as error:
        raise EvaluationError(f"{path} is not a CSV file in UTF-8: {error}") from error
    for column in needed:
        if column not in header:
            raise EvaluationError(f"{path} has no column '{column}'{nearest(column, header)}")
    if not rows:
        raise EvaluationError(f"{path} has a header and no rows")
    for number, row in enumerate(rows, start=2):
        if None in row or None in row.values():
            raise EvaluationError(f"{path}, row {number}: has more or fewer cells than the header")
        for column in needed:
            if not row[column].strip():
                raise EvaluationError(f"{path}, row {number}: '{column}' is empty")
    return rows


def _check_paths(place: Path, paths: Sequence[str], queries: Sequence[str]) -> None:
    seen: dict[str, int] = {}
    for number, path in enumerate(paths, start=2):
        if path in seen:
            raise EvaluationError(
                f"{place / 'candidate.csv'}, row {number}: '{path}' stands in row {seen[path]} too"
            )
        seen[path] = number
    for number, path in enumerate(queries, start=2):
        if path in seen:
            raise EvaluationError(
                f"{place / 'query.csv'}, row {number}: '{path}' is itself a candidate (row "
                f"{seen[path]} of candidate.csv); a query would find itself"
            )


def _truth(
    path: Path, rows: Sequence[Mapping[str, str]], names: Sequence[str]
) -> NDArray[np.float64]:
    truth = np.empty((len(rows), len(names)))
    for number, row in enumerate(rows):
        for column, name in enumerate(names):
            value = row[name].strip().removesuffix(".0")
            if value not in _VALUES:
                raise EvaluationError(
                    f"{path}, row {number + 2}, column '{name}': '{row[name]}' is none of 1, 0, -1 "
                    "and blank"
                )
            truth[number, column] = _VALUES[value]
    return truth


def evaluate_lists(
    names: Sequence[str],
    folder: Path,
    images: Path,
    text: bool = False,
    seed: int = 0,
    out: Path | None = None,
    device: str = "cpu",
) -> Outcome:
    """Precision at 5, 10 and 50 of models on the lists in ``folder`` (ConVIRT, section 4.2).

    ``images`` is the folder that the lists' paths begin in, or the first folder of those paths.
    Raises ``EvaluationError`` for faulty lists and images that are not there, ``ModelError``.
    """
    lists = read_lists(folder, "text" if text else "image")
    wanted = [*lists.paths, *(lists.queries if lists.kind == "image" else ())]
    found = locate(wanted, images)
    models = open_models(names, device=device)
    for model in models:
        if text and not model.has_text:
            raise EvaluationError(f"model '{model.name}' has no text tower: leave out --text")
    hashes = {
        name: hashlib.sha256((lists.folder / name).read_bytes()).hexdigest()
        for name in ("query.csv", "candidate.csv")
    }
    content = files_hash(found)
    rows = [
        {
            **score_lists(lists, *encode_lists(model, lists, found), model.name, seed),
            "provenance": {
                "radpair": __version__,
                "code": code_hash(),
                "model": model.hash,
                "lists": hashes,
                "images": content,
                "settings": {"seed": seed, "resamples": RESAMPLES},
            },
        }
        for model in models
    ]
    return kept(Outcome(class_table(rows), rows), out)


def score_lists(
    lists: Lists, queries: Codes, candidates: Codes, model_name: str, seed: int = 0
) -> dict[str, Any]:
    """The protocol on unit vectors of the lists' queries and candidates ``[rows, dim]``."""
    return class_retrieval(
        model_name,
        queries,
        lists.classes,
        candidates,
        lists.truth,
        lists.names,
        [patient_of(path) for path in lists.paths],
        query=lists.kind,
        protocol="8x200: a hit is a candidate labelled 1 for the query's class",
        at=[k for k in AT if k <= len(lists.paths)],
        resamples=RESAMPLES,
        seed=seed,
    )


def files_hash(paths: Sequence[Path]) -> str:
    """Sixteen hex digits of what the files hold, in this order."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def patient_of(path: str) -> str:
    """The folder ``patient...`` of a CheXpert path; the path itself where there is none."""
    return next((part for part in Path(path).parts if part.startswith("patient")), path)


def locate(paths: Sequence[str], root: Path) -> list[Path]:
    """The file of each path under ``root``. Raises ``EvaluationError`` counting those missing."""
    whole = [root / path for path in paths]
    if not whole[0].is_file():
        inner = [root.joinpath(*Path(path).parts[1:]) for path in paths]
        whole = inner if inner[0].is_file() else whole
    missing = [path for path in whole if not path.is_file()]
    if missing:
        raise EvaluationError(
            f"{len(missing):,} of the {len(paths):,} images in the lists are not under {root}, "
            f"first {missing[0]}: give the folder that holds '{Path(paths[0]).parts[0]}' with "
            "--images"
        )
    return whole


def encode_lists(model: Model, lists: Lists, files: Sequence[Path]) -> tuple[Codes, Codes]:
    """Unit vectors of the queries and of the candidates."""
    with track(f"encode with {model.name}", len(files)) as show, frozen(model):
        parts = []
        for start in range(0, len(files), 64):
            group = [_decoded(file) for file in files[start : start + 64]]
            parts.append(model.encode_images(group).projections)
            show(min(start + 64, len(files)))
        codes = np.concatenate(parts)
        if lists.kind == "text":
            return model.encode_texts(list(lists.queries)), codes
    return codes[len(lists.paths) :], codes[: len(lists.paths)]


def _decoded(file: Path) -> NDArray[np.uint8]:
    try:
        return decode(file)
    except ImageError as error:
        raise EvaluationError(
            f"{error}; the lists need every image, so fetch that file again"
        ) from error
