"""Augmentation against torchvision's v2 transforms at the same settings, one core.

    python benchmarks/augmentation.py

320-pixel synthetic films to 224 pixels with ConVIRT's settings, from a study set on disk. Four ways
take turns: film by film with OpenCV; torchvision; a batch at once by tensor operations, as a GPU
does it, here on the processor; and what is left for the host where a GPU does it: numbers drawn and
films copied. Prints medians of processor time and ratios, all measured in one run.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median

import cv2
import numpy as np
import torch

from radpair.compat import mend_torchvision
from radpair.images.augment import AugmentationConfig, Variation, draw, vary
from radpair.images.augment_batch import FilmBatch, pack_films, render
from radpair.phantom import Phantom
from radpair.studyset import StudySet, write
from turns import turns

FILMS, SIZE, STORED, TURNS = 64, 224, 320, 9


def main() -> None:
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        write(Phantom(studies=FILMS, seed=0, size=STORED), Path(folder) / "set", STORED)
        measure(StudySet.open(Path(folder) / "set"))


def measure(studies: StudySet) -> None:
    images = np.arange(FILMS)
    films = [torch.from_numpy(studies.pixels(image).copy())[None] for image in range(FILMS)]
    transform = torchvision_transform()
    ready = packed(studies, images)
    each = turns(
        {
            "host": lambda: [
                vary(studies.pixels(image), SIZE, drawn(image)) for image in range(FILMS)
            ],
            "library": lambda: [transform(film) for film in films],
            "batch": lambda: render(ready),
            "packing": lambda: packed(studies, images),
        },
        TURNS,
    )
    host, library, batch, packing = (median(one.processor) / FILMS for one in each.values())
    print(f"OpenCV {1 / host:,.0f} films/s, torchvision v2 {1 / library:,.0f} films/s on one core")
    print(f"  ratio {library / host:.2f}")
    print(f"tensor operations on the processor {1 / batch:,.0f} films/s")
    print(f"  ratio {library / batch:.2f} to torchvision v2, {host / batch:.2f} to OpenCV")
    print(f"  pictures differ {differences(studies, ready)}")
    print(f"left for the host beside a GPU: {packing * 1e6:.0f} µs a film, all {host * 1e6:.0f} µs")
    print(f"  ratio {host / packing:.2f}")


def drawn(image: int) -> Variation:
    return draw(AugmentationConfig(), np.random.Generator(np.random.Philox(key=[0, image])))


def packed(studies: StudySet, images: np.ndarray) -> FilmBatch:
    variations = [drawn(image) for image in images.tolist()]
    return pack_films(*studies.films(images), SIZE, variations)


def differences(studies: StudySet, ready: FilmBatch) -> str:
    host = np.stack([vary(studies.pixels(image), SIZE, drawn(image)) for image in range(FILMS)])
    found = np.abs(render(ready).numpy().astype(int) - host)
    return f"by {found.mean():.4f} of 255 grey levels on average, {found.max()} at most"


def torchvision_transform() -> Callable[[torch.Tensor], torch.Tensor]:
    mend_torchvision()
    from torchvision.transforms import v2

    def sometimes(transform: v2.Transform) -> v2.Transform:
        return v2.RandomApply([transform], p=0.95)

    return v2.Compose(
        [
            v2.RandomResizedCrop(SIZE, scale=(0.36, 1.0), ratio=(1.0, 1.0)),
            v2.RandomHorizontalFlip(0.5),
            sometimes(v2.RandomAffine(20, translate=(0.1, 0.1), scale=(0.95, 1.05))),
            sometimes(v2.ColorJitter(brightness=(0.6, 1.4), contrast=(0.6, 1.4))),
            sometimes(v2.GaussianBlur(13, (0.1, 3.0))),
        ]
    )


if __name__ == "__main__":
    main()
