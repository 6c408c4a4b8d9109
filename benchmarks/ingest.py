"""Ingest on large JPEG films, against Pillow and against itself with one process.

    python benchmarks/ingest.py [--films 4096]

Synthetic films of 2,500 x 3,000 pixels with noise, at quality 95 about 1.5 MB each, the mean of
MIMIC-CXR-JPG. Prints ratios, each measured in one run with the sides taking turns: decoding to
320 pixels against loaders that decode in full (processor seconds on one core), the whole ingest
with two processes against one (seconds), and random reads from the set against decoding JPEG
files of 320 pixels (processor seconds).
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from radpair.images import decode
from radpair.phantom.render import render
from radpair.phantom.truth import exams
from radpair.records import Study, View
from radpair.studyset import StudySet, write

WIDTH, HEIGHT, SIZE = 2500, 3000, 320
NOISE, QUALITY = 1.8, 95
DISTINCT = 16
SMALL = (SIZE, SIZE * HEIGHT // WIDTH)
ROUNDS = 3
Work = Callable[[Path], Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--films", type=int, default=4096)
    count = parser.parse_args().films
    cv2.setNumThreads(1)
    print(f"load average before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        films = large_films(folder)
        decoding(films)
        reads(folder, films, count)
        processes(folder, films, count)


def large_films(folder: Path) -> list[Path]:
    """Synthetic films with the noise of a detector, as JPEG."""
    noise = np.random.default_rng(0)
    paths = []
    for number, exam in enumerate(exams(DISTINCT, 0)):
        film = cv2.resize(render(exam, 0, 1000), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
        grain = noise.normal(0, NOISE, film.shape).astype(np.float32)
        path = folder / f"film{number}.jpg"
        Image.fromarray((film + grain).clip(0, 255).astype(np.uint8)).save(path, quality=QUALITY)
        paths.append(path)
    mean = statistics.mean(path.stat().st_size for path in paths)
    print(f"{DISTINCT} films of {WIDTH:,} x {HEIGHT:,} pixels, {mean / 1e6:.2f} MB on average")
    return paths


def decoding(films: Sequence[Path]) -> None:
    """Prints how long a film takes, and the full-decode loaders beside it."""
    ours, *others = taking_turns(
        films,
        [
            lambda path: decode(path, SIZE),
            lambda path: pillow(path, "L", None),
            lambda path: pillow(path, "L", Image.Resampling.BILINEAR),
            lambda path: pillow(path, "RGB", Image.Resampling.BILINEAR),
            lambda path: np.asarray(Image.open(path)),
        ],
    )
    print(f"decode to {SIZE} pixels: {ours * 1e3:.1f} ms, {1 / ours:.0f} films/s on one core")
    names = (
        "Pillow, grey, resize as it is by default (bicubic)",
        "Pillow, grey, resize bilinear",
        "Pillow, RGB, resize bilinear",
        "Pillow, decoding alone, no resize",
    )
    for name, other in zip(names, others, strict=True):
        print(f"  {name}: {other * 1e3:.1f} ms, ratio {other / ours:.2f}")


def pillow(path: Path, mode: str, filter_: Image.Resampling | None) -> np.ndarray:
    """A loader that decodes the whole film before it reduces it."""
    with Image.open(path) as image:
        return np.asarray(image.convert(mode).resize(SMALL, filter_))


def taking_turns(items: Sequence[Any], works: Sequence[Work]) -> list[float]:
    """The median processor seconds of each work on one item, in one pass after the other."""
    spent: list[list[float]] = [[] for _ in works]
    for item in list(items) * ROUNDS:
        for work, times in zip(works, spent, strict=True):
            begun = time.process_time()
            work(item)
            times.append(time.process_time() - begun)
    return [statistics.median(times) for times in spent]


class Films:
    """A source of films that lie in a few files; each study has names of its own."""

    name = "films"

    def __init__(self, files: Sequence[Path], studies: int) -> None:
        self.root, self._files, self._count = Path(), list(files), studies

    def __len__(self) -> int:
        return self._count

    def options(self) -> dict[str, Any]:
        return {"studies": self._count}

    def studies(self) -> Iterator[Study]:
        for number in range(self._count):
            yield Study(
                study_id=f"s{number}",
                patient_id=f"p{number}",
                views=(View(f"{number}.jpg", "PA"),),
                report="No effusion.",
            )

    def path_of(self, study: Study, view: int) -> Path:
        return self._files[int(study.study_id[1:]) % len(self._files)]


def processes(folder: Path, films: Sequence[Path], count: int) -> None:
    """Prints how long the whole ingest takes with one process and with two."""
    seconds = []
    for number in (1, 2):
        begun = time.perf_counter()
        source, out = Films(films, count), folder / f"set{number}"
        write(source, out, SIZE, number, duplicates="keep")
        seconds.append(time.perf_counter() - begun)
    one, two = seconds
    print(f"ingest of {count:,} films: 1 process {one:.1f} s, 2 processes {two:.1f} s")
    print(f"  ratio {one / two:.2f}")


def reads(folder: Path, films: Sequence[Path], count: int) -> None:
    """Prints random reads from a set beside decoding the same pictures from JPEG files."""
    small = []
    for number, path in enumerate(films):
        small.append(folder / f"small{number}.jpg")
        Image.fromarray(decode(path, SIZE)).save(small[-1], quality=QUALITY)
    write(Films(small, count), folder / "reads", SIZE, 1, duplicates="keep")
    studies = StudySet.open(folder / "reads")
    order = np.random.default_rng(0).integers(0, count, 4096).tolist()
    ours, other = [], []
    for _ in range(ROUNDS):
        ours.append(seconds_each(lambda image: np.array(studies.pixels(image)), order))
        other.append(seconds_each(lambda image: whole(small[image % DISTINCT]), order[:512]))
    read, decoded = statistics.median(ours), statistics.median(other)
    print(f"random reads: {1 / read:,.0f} films/s, decoding {SIZE}-pixel JPEG {1 / decoded:,.0f}")
    print(f"  ratio {decoded / read:.0f}")


def whole(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("L"))


def seconds_each(work: Callable[[int], Any], numbers: Sequence[int]) -> float:
    begun = time.process_time()
    for number in numbers:
        work(number)
    return (time.process_time() - begun) / len(numbers)


if __name__ == "__main__":
    main()
