"""Projection heads, from a tower's features to the space in which pairs are compared."""

from __future__ import annotations

from torch import nn

from radpair.errors import RecipeError, nearest

KINDS = ("linear", "mlp")


def projection(kind: str, width: int, out: int) -> nn.Module:
    """``linear`` (IGC's image side) or ``mlp``: Linear, ReLU, Linear (ConVIRT, section 3)."""
    if kind == "linear":
        return nn.Linear(width, out)
    if kind == "mlp":
        return nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, out))
    raise RecipeError(f"projection '{kind}' is not known{nearest(kind, KINDS)}")
