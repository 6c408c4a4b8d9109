"""What the page shows of the films: retrieved ones, and where each study lies on a map."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from radpair.comparison.bench import Bench
from radpair.comparison.compare_models import MAP, Cell, Compared
from radpair.comparison.partners import SHOWN

QUERIES = 4
CLASSES = 5
_SIDE, _QUALITY, _WORDS = 112, 72, 60


@dataclass(frozen=True)
class Answer:
    """The films that one model finds for a query, best first."""

    model: str
    title: str
    films: list[str]
    """``data:`` addresses."""
    right: list[bool]
    notes: list[str]
    """How many of the query's findings each film's study has; empty for a hit."""
    rank: int
    """Where the first right one stands."""


@dataclass(frozen=True)
class Query:
    """A report (or its graph), the film that belongs to it, and what the models find."""

    report: str
    film: str
    findings: list[str]
    answers: list[Answer]


@dataclass(frozen=True)
class Map:
    """A model's studies on a plane."""

    model: str
    points: NDArray[np.float64]
    """``[studies, 2]`` in 0 to 1."""
    classes: NDArray[np.int64]
    """Which of ``names`` each study has, the rarest of several; -1 none of them."""
    names: tuple[str, ...]


def queries(compared: Compared, bench: Bench) -> list[Query]:
    """A few tested studies, the same for all models, with the films found for them."""
    cells = [
        cell
        for cell in compared.cells
        if cell.set == bench.name and cell.unit is not None and cell.setting.get("way") == 1
    ]
    if not cells:
        return []
    return [
        Query(
            _shortened(" ".join(bench.texts[place])),
            _film(bench, place),
            [bench.labels[label] for label in _findings(bench, place)],
            [_answer(cell, bench, place) for cell in cells],
        )
        for place in _chosen(cells, bench, compared.plan.seed)
    ]


def maps(compared: Compared, bench: Bench) -> list[Map]:
    """The maps of one set, all coloured by the same findings."""
    cells = [c for c in compared.cells if c.set == bench.name and c.task == MAP and c.unit]
    found = []
    for cell in cells:
        assert cell.unit is not None
        places = cell.unit.arrays["places"]
        truth = bench.tested_truth[places]
        classes, names = _classes(truth, bench.labels)
        found.append(Map(cell.model, cell.unit.arrays["points"], classes, names))
    return found


def _chosen(cells: Sequence[Cell], bench: Bench, seed: int) -> list[int]:
    """Places that every model was asked about, with findings and of different patients."""
    shared = set.intersection(*(set(_places(cell).tolist()) for cell in cells))
    order = np.random.default_rng([seed, 5]).permutation(len(bench.test))
    asked = [int(place) for place in order if int(place) in shared and bench.texts[place]]
    busy = [place for place in asked if (bench.tested_truth[place] == 1).any()] or asked
    found: list[int] = []
    people: set[str] = set()
    for place in busy:
        person = bench.tested_patients[place]
        if person not in people and len(found) < QUERIES:
            people.add(person)
            found.append(place)
    return found


def _places(cell: Cell) -> NDArray[np.int64]:
    assert cell.unit is not None
    places: NDArray[np.int64] = cell.unit.arrays["places"]
    return places


def _answer(cell: Cell, bench: Bench, place: int) -> Answer:
    assert cell.unit is not None
    places = _places(cell)
    query = int(np.flatnonzero(places == place)[0])
    top = [int(places[candidate]) for candidate in cell.unit.arrays["top"][query][:SHOWN]]
    right = [bool(one) for one in cell.unit.arrays["right"][query][:SHOWN]]
    return Answer(
        cell.model,
        cell.title,
        [_film(bench, other) for other in top],
        right,
        ["" if hit else _shared(bench, place, at) for at, hit in zip(top, right, strict=True)],
        int(cell.unit.arrays["ranks"][query]),
    )


def _findings(bench: Bench, place: int) -> list[int]:
    return np.flatnonzero(bench.tested_truth[place] == 1).tolist()


def _shared(bench: Bench, query: int, other: int) -> str:
    """``2 of 3 findings``."""
    asked = _findings(bench, query)
    if not asked:
        return ""
    count = len(set(asked) & set(_findings(bench, other)))
    return f"{count} of {len(asked)} finding" + ("s" if len(asked) > 1 else "")


def _film(bench: Bench, place: int) -> str:
    """The first film of a tested study as a small JPEG."""
    study = int(bench.test[place])
    pixels = bench.studies.pixels(int(bench.studies.first_image[study]))
    scale = _SIDE / max(pixels.shape)
    height, width = (max(1, round(side * scale)) for side in pixels.shape)
    small = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
    _, encoded = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode()


def _shortened(report: str) -> str:
    words = report.split()
    return " ".join(words[:_WORDS]) + (" …" if len(words) > _WORDS else "")


def _classes(
    truth: NDArray[np.float64], labels: Sequence[str]
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """The most frequent findings, and which of them each study is coloured by."""
    counts = (truth == 1).sum(axis=0)
    there = [place for place in range(len(labels)) if counts[place]]
    frequent = sorted(there, key=lambda place: -int(counts[place]))[:CLASSES]
    found = np.full(len(truth), -1, dtype=np.int64)
    for number, place in enumerate(frequent):  # the rarest comes last and stays
        found[truth[:, place] == 1] = number
    return found, tuple(labels[place] for place in frequent)
