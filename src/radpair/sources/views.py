"""How datasets name a projection, and what radpair calls it."""

from __future__ import annotations

LATERALS = frozenset({"L", "LL", "RL", "LAT", "LATERAL", "LLAT", "RLAT"})


def position(text: str) -> str:
    """``PA``, ``AP`` or ``LATERAL``, also from 'AP Supine', 'LL', 'XTABLE LATERAL'; else empty."""
    words = text.upper().replace("-", " ").replace("_", " ").split()
    if words and words[0] in ("PA", "AP"):
        return words[0]
    lateral = bool(words) and (words[0] in LATERALS or words[-1] in ("LAT", "LATERAL"))
    return "LATERAL" if lateral else ""
