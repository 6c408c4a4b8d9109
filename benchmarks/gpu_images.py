"""Images per second through a study set and augmentation on a GPU.

    python benchmarks/gpu_images.py

ConVIRT's settings, synthetic films of 320 pixels to 224, batches of 256 out of the data loader as
``pretrain`` has them, but without reports and towers. Prints, each in images a second: films copied
and numbers drawn on one core; pictures made on the device of films that lie there; the whole way,
from the files to pictures on the device; and beside it the same with OpenCV on the host. ``--out
FILE`` keeps every figure as it comes, and after ``--seconds`` none is begun. Without a CUDA device
there is nothing to measure; ``--device cpu`` runs the same path on the processor.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from figures import Figures, gpu_options, most_memory, name_of
from radpair.images import augment_batch
from radpair.images.augment import AugmentationConfig
from radpair.phantom import Phantom
from radpair.studyset import StudySet, write
from radpair.studyset.batch import PairBatch, PairData, PairSettings, to_device, with_pixels
from turns import now


@dataclass(frozen=True)
class Asked:
    """What is measured, as the command line says."""

    device: torch.device
    out: Path | None
    seconds: float
    studies: int
    stored: int
    size: int
    batch: int
    batches: int
    workers: int


class Batches(Dataset[PairBatch]):
    """Random batches of a study set, the same for any number of workers."""

    def __init__(self, path: Path, asked: Asked, augment_on: str) -> None:
        studies = StudySet.open(path)
        settings = PairSettings(asked.size, AugmentationConfig(), 0, augment_on)  # type: ignore[arg-type]
        self._data = PairData(studies, np.arange(len(studies)), settings, None, None)
        self._asked = asked

    def __len__(self) -> int:
        return self._asked.batches

    def __getitem__(self, number: int) -> PairBatch:
        places = np.random.default_rng([1, number]).integers(0, len(self._data), self._asked.batch)
        return self._data.batch(places, number)


def main() -> None:
    asked = parsed()
    if asked.device.type == "cuda" and not torch.cuda.is_available():
        print("no CUDA device here: nothing measured (--device cpu runs the same path)")
        return
    one_thread(0)
    figures = Figures(asked.device, asked.out, asked.seconds)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "set"
        source = Phantom(studies=asked.studies, seed=0, size=asked.stored)
        write(source, path, asked.stored, processes=os.cpu_count() or 1)
        print(
            f"{name_of(asked.device)}; {asked.stored}-pixel films to {asked.size}, batches of "
            f"{asked.batch}, {asked.workers} workers",
            flush=True,
        )
        measure(figures, path, asked)


def measure(figures: Figures, path: Path, asked: Asked) -> None:
    settings = {key: getattr(asked, key) for key in ("stored", "size", "batch", "workers")}
    data = Batches(path, asked, "device")
    what = "films copied, numbers drawn, one core"
    figures.take(what, settings, partial(packing, data, asked))
    usual = augment_batch.AT_ONCE[asked.device.type]
    for pixels in (usual // 4, usual, usual * 4):
        what = f"pictures of films on the device, {pixels:,} pixels at once"
        figures.take(what, settings, partial(rendering, data[0], pixels, asked))
    rates = {}
    for where in ("device", "host"):
        what = f"files to pictures on the device, augmented on the {where}"
        found = figures.take(what, settings, partial(loading, path, asked, where))
        rates[where] = found.get("images_a_second", 0)
    if all(rates.values()):
        print(f"  ratio {rates['device'] / rates['host']:.2f}")


def parsed() -> Asked:
    parser = gpu_options(__doc__)
    parser.add_argument("--studies", type=int, default=4096)
    parser.add_argument("--stored", type=int, default=320, help="longer side on disk, pixels")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--batches", type=int, default=200)
    parser.add_argument("--workers", type=int, default=max(1, (os.cpu_count() or 2) - 2))
    return Asked(**vars(parser.parse_args()))


Found = tuple[str, dict[str, float]]


def packing(data: Batches, asked: Asked) -> Found:
    """What one core copies and draws."""
    data[0]
    count = max(1, min(20, asked.batches))
    begun = now(asked.device)
    for number in range(count):
        data[number]
    return rated(count * asked.batch / (now(asked.device) - begun))


def rendering(batch: PairBatch, pixels: int, asked: Asked) -> Found:
    """How fast resident films become pictures, ``pixels`` worked on at once."""
    there = to_device(batch, asked.device)
    usual = augment_batch.AT_ONCE[asked.device.type]
    augment_batch.AT_ONCE[asked.device.type] = pixels
    try:
        with_pixels(there)
        count = max(1, min(50, asked.batches))
        begun = now(asked.device)
        for _ in range(count):
            with_pixels(there)
        rate = count * asked.batch / (now(asked.device) - begun)
    finally:
        augment_batch.AT_ONCE[asked.device.type] = usual
    return rated(rate, **most_memory(asked.device))


def loading(path: Path, asked: Asked, augment_on: str) -> Found:
    """From files to pictures on the device, once the workers are running."""
    first = min(2 * asked.workers, asked.batches // 4)
    begun, seen = now(asked.device), 0
    for number, batch in enumerate(loader(path, asked, augment_on), 1):
        seen += len(with_pixels(to_device(batch, asked.device)).pixels)
        if number == first:
            begun, seen = now(asked.device), 0
    return rated(seen / (now(asked.device) - begun))


def rated(rate: float, **more: float) -> Found:
    told = "".join(f", at most {gib:.2f} GiB" for gib in more.values())
    return f"{rate:,.0f} images/s{told}", {"images_a_second": rate, **more}


def loader(path: Path, asked: Asked, augment_on: str) -> Iterator[PairBatch]:
    return iter(
        DataLoader(
            Batches(path, asked, augment_on),
            batch_size=None,
            num_workers=asked.workers,
            pin_memory=asked.device.type == "cuda",
            worker_init_fn=one_thread,
            prefetch_factor=4 if asked.workers else None,
            multiprocessing_context="spawn" if asked.workers else None,
        )
    )


def one_thread(_: int) -> None:
    cv2.setNumThreads(1)
    torch.set_num_threads(1)


if __name__ == "__main__":
    main()
