"""``radpair verify``."""

from __future__ import annotations

from pathlib import Path


def verify(folder: Path, /) -> None:
    """Read every byte of a study set or a model folder and compare hashes.

    Args:
        folder: A study set, or the folder 'model' of a run.
    """
    if (folder / "hashes.json").is_file():
        from radpair.models import load

        print(f"{folder}: sound; model hash {load(folder).hash[:16]}")
        return
    if (folder / "model" / "hashes.json").is_file():
        verify(folder / "model")
        return
    from radpair.studyset import StudySet

    studies = StudySet.open(folder)
    print(f"{studies.place}: sound; {studies.verify():,} files, {len(studies):,} studies")
