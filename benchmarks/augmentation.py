"""Augmentation against torchvision's v2 transforms at the same settings, one core.

    python benchmarks/augmentation.py

320-pixel synthetic films to 224 pixels with ConVIRT's settings. Prints a ratio measured in one run.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import cv2
import numpy as np
import torch

from radpair.compat import mend_torchvision
from radpair.images.augment import AugmentationConfig, augment
from radpair.phantom.render import render
from radpair.phantom.truth import exams

FILMS, SIZE = 64, 224


def main() -> None:
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    films = [render(exam, 0, 320) for exam in exams(FILMS, 0)]
    config = AugmentationConfig()
    rng = np.random.default_rng(0)
    ours = per_second(lambda film: augment(film, SIZE, config, rng), films)
    library = per_second(torchvision_transform(), [torch.from_numpy(f)[None] for f in films])
    print(f"augment: {ours:.0f} films/s, torchvision v2 {library:.0f} films/s on one core")
    print(f"  ratio {ours / library:.2f}")


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


def per_second(work: Callable[..., object], items: list) -> float:
    for item in items[:8]:
        work(item)
    begun = time.perf_counter()
    for item in items:
        work(item)
    return len(items) / (time.perf_counter() - begun)


if __name__ == "__main__":
    main()
