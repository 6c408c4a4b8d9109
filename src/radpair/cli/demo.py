"""``radpair demo``."""

from __future__ import annotations

from pathlib import Path


def demo(*, out: Path = Path("demo"), studies: int = 3000, epochs: int | None = None) -> None:
    """Synthetic studies in; two pretrained encoders, a table and report.html out.

    Args:
        out: A folder for everything; the same command again continues where it stopped.
        studies: How many synthetic studies.
        epochs: Passes over the training studies, for each recipe; the recipes' own if not given.
    """
    from radpair.demo import run_demo

    print(run_demo(out, studies, epochs))
