"""Fixtures that several rooms share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from discs import TINY, DiscSource

os.environ["OMP_NUM_THREADS"] = "1"
"""Before torch comes: sums are formed in one order on any machine, in a test and in the processes
that it starts, and the workers of the suite do not crowd each other."""


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
