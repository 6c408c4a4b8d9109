"""A tiny study set with a truth that a small network can learn in seconds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from radpair.graphs.schema import ABSENT, ANATOMY, LOCATED_AT, MODIFY, PRESENT
from radpair.records import Entity, Graph, Relation, Study, View

TINY = (
    "image.size=32",
    "image.name=resnet10t",
    "text.vocabulary=120",
    "text.width=32",
    "text.heads=2",
    "text.layers=1",
    "graph.width=32",
    "graph.word_width=32",
    "graph.feed_forward=32",
    "dim=32",
    "training.batch=16",
    "training.checkpoint=3",
    "training.warmup=0",
)
"""Overrides that make a small recipe tiny."""


class DiscSource:
    """Grey films with a bright disc on one side, or none; two sentences and a graph say so."""

    name = "discs"

    def __init__(self, studies: int = 96) -> None:
        self.count = studies

    def options(self) -> dict[str, Any]:
        return {"studies": self.count}

    def studies(self) -> Iterator[Study]:
        for number in range(self.count):
            side = ("left", "right", "")[number % 3]
            yield Study(
                study_id=f"s{number:03d}",
                patient_id=f"p{number // 2:03d}",
                views=tuple(
                    View(f"s{number:03d}/{view}.png", "PA") for view in range(1 + number % 2)
                ),
                report=report_of(side, number),
                labels={"Disc": float(side != ""), "Left": float(side == "left")},
                graph=graph_of(side, number),
            )

    def read(self, study: Study, view: int) -> np.ndarray:
        number = int(study.study_id[1:])
        rng = np.random.default_rng([number, view])
        film = rng.normal(90, 8, (60, 52))
        side = ("left", "right", "")[number % 3]
        if side:
            rows, columns = np.mgrid[:60, :52]
            centre = (int(rng.integers(20, 40)), 38 if side == "left" else 14)
            film[(rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 < 64] += 110
        return film.clip(0, 255).astype(np.uint8)


def report_of(side: str, number: int) -> str:
    """Two sentences; the second is its own study's."""
    size = f"The heart measures {number + 10} mm across."
    if not side:
        return f"FINDINGS: There is no bright disc today. {size}"
    return f"FINDINGS: There is a bright {side} disc. {size}"


def graph_of(side: str, number: int) -> Graph:
    """The graph of ``report_of``; the heart is a component of its own."""
    text = f"There is a bright {side or 'no'} disc . The heart measures {number + 10} mm across ."
    words = text.split(" ")
    heart = words.index("heart")
    status = PRESENT if side else ABSENT
    entities = [Entity("disc", status, 5, 5), Entity("heart", ANATOMY, heart, heart)]
    relations = []
    if side:
        entities += [Entity("bright", PRESENT, 3, 3), Entity(side, ANATOMY, 4, 4)]
        relations = [Relation(2, MODIFY, 0), Relation(0, LOCATED_AT, 3)]
    return Graph(text, tuple(entities), tuple(relations))
