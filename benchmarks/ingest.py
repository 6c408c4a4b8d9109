"""Ingest on large JPEG films, against Pillow and against itself with one process.

    python benchmarks/ingest.py [--films 4096]
    python benchmarks/ingest.py --room [FOLDER_OF_FILMS ...] [--metadata TABLE]

Synthetic films of 2,500 x 3,000 pixels with noise, at quality 95 about 1.5 MB each, the mean of
MIMIC-CXR-JPG. Prints ratios, each measured in one run with the sides taking turns: decoding to
320 pixels against loaders that decode in full (processor seconds on one core), the whole ingest
with two processes against one (seconds), and random reads from the set against decoding JPEG
files of 320 pixels (processor seconds). With ``--room`` instead: the bytes that a film takes in a
set, and what MIMIC-CXR would take, by the shapes of the films in some folders, by single shapes,
and by the Rows and Columns of MIMIC-CXR-JPG's metadata where these are at hand.
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

from radpair.errors import ImageError
from radpair.images import decode
from radpair.phantom.render import render
from radpair.phantom.truth import exams
from radpair.records import Study, View
from radpair.sources.tabular import iterate_rows
from radpair.studyset import StudySet, write

WIDTH, HEIGHT, SIZE = 2500, 3000, 320
NOISE, QUALITY = 1.8, 95
DISTINCT = 16
SMALL = (SIZE, SIZE * HEIGHT // WIDTH)
ROUNDS = 3
MIMIC = 377_110
"""Images of MIMIC-CXR-JPG."""
SIDES = ("Rows", "Columns")
Work = Callable[[Path], Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--films", type=int, default=4096)
    parser.add_argument("--room", type=Path, nargs="*", metavar="FOLDER")
    parser.add_argument("--metadata", type=Path)
    given = parser.parse_args()
    if given.room is not None or given.metadata:
        room(given.room or [], given.metadata)
        return
    count = given.films
    cv2.setNumThreads(1)
    print(f"load average before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        films = large_films(folder)
        decoding(films)
        reads(folder, films, count)
        processes(folder, films, count)


def room(folders: Sequence[Path], metadata: Path | None) -> None:
    """Prints bytes a film and those of all MIMIC-CXR. A study set holds one byte a pixel."""
    for folder in folders:
        films = [film for film in map(pixels_of, sorted(folder.rglob("*"))) if film is not None]
        large = [film.size for film in films if min(film.shape) == SIZE]
        told(f"{len(large):,} films in {folder}, {len(films) - len(large)} smaller ones", large)
    for height, width in ((1, 1), (3056, 2544)):
        told(f"films of {height:,} x {width:,}", [stored(height, width)])
    if metadata is not None:
        sizes = [(row.cells["Rows"], row.cells["Columns"]) for row in iterate_rows(metadata, SIDES)]
        told(f"{len(sizes):,} rows of {metadata.name}", [stored(int(h), int(w)) for h, w in sizes])


def pixels_of(path: Path) -> np.ndarray | None:
    """The film as a set would hold it; None for what is none."""
    try:
        return decode(path, SIZE)
    except ImageError:
        return None


def stored(height: int, width: int) -> int:
    """Bytes of a film of that shape, reduced to ``SIZE``."""
    return SIZE * round(SIZE * max(height, width) / min(height, width))


def told(what: str, sizes: Sequence[int]) -> None:
    if sizes:
        mean = statistics.mean(sizes)
        print(f"{what}: {mean:,.0f} bytes each, {mean * MIMIC / 1e9:.1f} GB for {MIMIC:,}")


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
            lambda path: cv2.imread(str(path), cv2.IMREAD_REDUCED_GRAYSCALE_8),
        ],
    )
    print(f"decode to {SIZE} pixels: {ours * 1e3:.1f} ms, {1 / ours:.0f} films/s on one core")
    names = (
        "Pillow, Image.open(p).convert('L').resize(size), which is bicubic",
        "Pillow, grey, resize bilinear",
        "Pillow, RGB, resize bilinear",
        "Pillow, decoding alone, no resize",
        "OpenCV, an eighth by the mean of each block: hardly more than reading the file's bits",
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
