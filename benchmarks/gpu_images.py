"""Images per second through a study set and augmentation on a GPU.

    python benchmarks/gpu_images.py

ConVIRT's settings, synthetic films of 320 pixels to 224, batches of 256 out of the data loader as
``pretrain`` has them, but without reports and towers. Prints, each in images a second: films copied
and numbers drawn on one core; pictures made on the device of films that lie there; the whole way,
from the files to pictures on the device; and beside it the same with OpenCV on the host. Without a
CUDA device there is nothing to measure; ``--device cpu`` runs the same path on the processor.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from radpair.images import augment_batch
from radpair.images.augment import AugmentationConfig
from radpair.phantom import Phantom
from radpair.studyset import StudySet, write
from radpair.studyset.batch import PairBatch, PairData, PairSettings, to_device, with_pixels


@dataclass(frozen=True)
class Asked:
    """What is measured, as the command line says."""

    device: torch.device
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
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "set"
        source = Phantom(studies=asked.studies, seed=0, size=asked.stored)
        write(source, path, asked.stored, processes=os.cpu_count() or 1)
        name = torch.cuda.get_device_name() if asked.device.type == "cuda" else "the processor"
        print(
            f"{name}; {asked.stored}-pixel films to {asked.size}, batches of {asked.batch}, "
            f"{asked.workers} workers"
        )
        packing(Batches(path, asked, "device"), asked)
        rendering(Batches(path, asked, "device")[0], asked)
        whole = {where: loading(path, asked, where) for where in ("device", "host")}
        print(f"  ratio {whole['device'] / whole['host']:.2f}")


def parsed() -> Asked:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--device", default="cuda", type=torch.device)
    parser.add_argument("--studies", type=int, default=4096)
    parser.add_argument("--stored", type=int, default=320, help="longer side on disk, pixels")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--batches", type=int, default=200)
    parser.add_argument("--workers", type=int, default=max(1, (os.cpu_count() or 2) - 2))
    return Asked(**vars(parser.parse_args()))


def packing(data: Batches, asked: Asked) -> None:
    """Prints what one core copies and draws."""
    data[0]
    count = max(1, min(20, asked.batches))
    begun = time.perf_counter()
    for number in range(count):
        data[number]
    spent = time.perf_counter() - begun
    print(f"films copied, numbers drawn, one core: {count * asked.batch / spent:,.0f} images/s")


def rendering(batch: PairBatch, asked: Asked) -> None:
    """Prints how fast resident films become pictures, by how many pixels are worked on at once."""
    there = to_device(batch, asked.device)
    usual = augment_batch.AT_ONCE[asked.device.type]
    for pixels in (usual // 4, usual, usual * 4):
        augment_batch.AT_ONCE[asked.device.type] = pixels
        with_pixels(there)
        finish(asked.device)
        count = max(1, min(50, asked.batches))
        begun = time.perf_counter()
        for _ in range(count):
            with_pixels(there)
        finish(asked.device)
        rate = count * asked.batch / (time.perf_counter() - begun)
        print(f"pictures of films on the device, {pixels:,} pixels at once: {rate:,.0f} images/s")
    augment_batch.AT_ONCE[asked.device.type] = usual
    if asked.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
        with_pixels(there)
        print(f"most memory on the device: {torch.cuda.max_memory_allocated() / 2**20:,.0f} MiB")


def loading(path: Path, asked: Asked, augment_on: str) -> float:
    """Images per second from files to pictures on the device, once the workers are running."""
    first = min(2 * asked.workers, asked.batches // 4)
    begun, seen = time.perf_counter(), 0
    for number, batch in enumerate(loader(path, asked, augment_on), 1):
        seen += len(with_pixels(to_device(batch, asked.device)).pixels)
        if number == first:
            finish(asked.device)
            begun, seen = time.perf_counter(), 0
    finish(asked.device)
    rate = seen / (time.perf_counter() - begun)
    print(f"files to pictures on the device, augmented on the {augment_on}: {rate:,.0f} images/s")
    return rate


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


def finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


if __name__ == "__main__":
    main()
