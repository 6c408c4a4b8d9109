"""P-values: corrected over several comparisons, and as text."""

from __future__ import annotations

from typing import Any

from radpair.evaluation.paired import holm
from radpair.evaluation.report.marks import NONE, number


def with_holm(labels: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Adds ``holm`` to each label's INTERVAL, over these labels."""
    corrected = holm([one["p"] for one in labels.values()])
    for one, value in zip(labels.values(), corrected, strict=True):
        one["holm"] = value
    return labels


def p_text(p: float | None) -> str:
    """``0.012`` or ``< 0.001``."""
    if p is None:
        return NONE
    return "< 0.001" if p < 0.001 else number(p)
