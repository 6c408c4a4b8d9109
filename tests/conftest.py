"""Fixtures that several rooms share."""

from __future__ import annotations

from pathlib import Path

import pytest

from discs import TINY, DiscSource


@pytest.fixture(scope="session")
def disc_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study set of 96 disc studies with graphs."""
    from radpair.studyset import StudySet, write, write_graphs

    path = tmp_path_factory.mktemp("discs") / "set"
    write(DiscSource(), path, size=48, processes=1)
    studies = StudySet.open(path)
    graphs = dict(zip(studies.study_ids, studies.source_graphs(), strict=True))
    write_graphs(path, {key: graph for key, graph in graphs.items() if graph}, {"from": "source"})
    return path


@pytest.fixture
def tiny() -> tuple[str, ...]:
    """Overrides that make a small recipe tiny."""
    return TINY
