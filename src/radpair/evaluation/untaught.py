"""Labels that no draw of a budget could teach: they are in no mean.

A budget without a positive (or a negative) of a label leaves its scores all the same, AUROC 0.5 in
every resample. Counted in a mean over labels, such a figure would lower it and narrow its interval.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Reasons = tuple[str | None, ...]


def untaught(constant: Sequence[Mapping[str, Any]], names: Sequence[str], draws: int) -> Reasons:
    """Why nothing was learned of each label, or None: ``[labels]``.

    ``constant`` has ``draw``, ``label`` and ``reason`` of each draw that could not teach a label. A
    label that some draws taught stays, with the AUROC of 0.5 of the others.
    """
    found: list[str | None] = []
    for name in names:
        reasons = {one["draw"]: str(one["reason"]) for one in constant if one["label"] == name}
        told = ", ".join(dict.fromkeys(reasons.values()))
        found.append(f"not learned: {told} in training" if len(reasons) >= draws > 0 else None)
    return tuple(found)


def first_reasons(*several: Reasons) -> Reasons:
    """The first reason of each label, or None."""
    return tuple(next(filter(None, reasons), None) for reasons in zip(*several, strict=True))
