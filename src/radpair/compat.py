"""One mend for a foreign fault, kept in one place.

The registry's torchvision is built for CUDA. Beside a CPU build of torch its compiled operators
cannot load, and importing it fails while it describes two of them (``nms`` and ``qnms``), although
radpair, timm and torchmetrics use neither. Declaring both first lets the import succeed.
"""

from __future__ import annotations

import functools
import importlib.metadata
from typing import Any

_DECLARED: list[object] = []
"""A library's declarations last as long as it does."""


@functools.cache
def mend_torchvision() -> None:
    """Makes ``import torchvision`` succeed beside a CPU build of torch. Does nothing elsewhere."""
    import torch

    if torch.version.cuda is not None or not _built_for_cuda():
        return
    library: Any = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _DECLARED.append(library)


def _built_for_cuda() -> bool:
    try:
        files = importlib.metadata.files("torchvision") or []
    except importlib.metadata.PackageNotFoundError:
        return False
    return any("libcudart" in file.name for file in files)
