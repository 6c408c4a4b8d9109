"""``radpair describe``."""

from __future__ import annotations

from pathlib import Path


def describe(data: Path, /, *, out: Path | None = None) -> None:
    """What a study set holds: splits, views, sexes, ages, reports, labels, what was left out.

    Args:
        data: A study set.
        out: A page (.html) with the same figures and charts; it needs no network.
    """
    from radpair.description import describe as figures
    from radpair.description import told, write_page
    from radpair.studyset import StudySet

    facts = figures(StudySet.open(data))
    if out is not None:
        write_page(facts, out)
    print(told(facts))
    if out is not None:
        print(f"\nThe page: {out}")
