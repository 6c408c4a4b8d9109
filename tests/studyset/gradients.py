"""A source of grey gradients with labels, graphs, patients and official splits."""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radpair.errors import ImageError
from radpair.graphs import schema
from radpair.records import NOT_GIVEN, Entity, Graph, Relation, Study, View


class Gradients:
    """``count`` studies; every 11th image is unreadable, every 7th report says nothing."""

    name = "gradients"

    def __init__(self, count: int, faults: bool = True, wait: float = 0.0) -> None:
        self.count, self.faults, self.wait = count, faults, wait

    def __len__(self) -> int:
        return self.count

    def options(self) -> dict[str, Any]:
        return {"count": self.count, "faults": self.faults}

    def studies(self) -> Iterator[Study]:
        for number in range(self.count):
            yield self.study(number)

    def study(self, number: int) -> Study:
        views = [View(f"{number:05d}-0.png", "PA")]
        if number % 5 == 0:
            views.append(View(f"{number:05d}-1.png", "LATERAL"))
        return Study(
            study_id=f"s{number:05d}",
            patient_id=f"p{number // 3:05d}",
            views=tuple(views),
            report=self.report(number),
            labels={"Effusion": float(number % 3 - 1), "Mass": NOT_GIVEN},
            split="test" if number // 3 % 10 == 0 else "",
            attributes={"age": str(20 + number % 60), "sex": "FM"[number % 2]},
            graph=graph(number) if number % 4 else None,
        )

    def report(self, number: int) -> str:
        if self.faults and number % 7 == 0:
            return ("", "  \n", "XXXX ___ 12/3.")[number // 7 % 3]
        return f"No effusion in study {number}; the heart measures {number % 20} cm."

    def read(self, study: Study, view: int) -> NDArray[np.uint8]:
        number = int(study.study_id[1:])
        time.sleep(self.wait)
        if self.faults and number % 11 == 0 and view == 0:
            raise ImageError(f"{study.views[view].path}: is truncated; fetch the file again")
        height, width = 70 + number % 9, 60 + number % 13
        y, x = np.mgrid[:height, :width]
        return ((3 * y + 2 * x + number + 100 * view) % 256).astype(np.uint8)


def graph(number: int) -> Graph:
    entities = (
        Entity("effusion", schema.ABSENT, 1, 1),
        Entity("heart", schema.ANATOMY, 3, 3),
        Entity("the heart", schema.MEASURED_ANATOMY, 2, 3),
    )[: number % 4]
    links = (Relation(0, schema.LOCATED_AT, 1), Relation(1, schema.MODIFY, 0))
    return Graph("no effusion the heart", entities, links if len(entities) > 1 else ())


def write_module() -> Any:
    """The module, which the function of the same name hides in its package."""
    return importlib.import_module("radpair.studyset.write")


def main(out: str, count: str, processes: str, wait: str, part: str) -> None:
    write_module().PART = int(part)
    source = Gradients(int(count), wait=float(wait))
    write_module().write(source, Path(out), size=48, processes=int(processes))


if __name__ == "__main__":
    main(*sys.argv[1:])
