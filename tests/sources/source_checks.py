"""What the tests of every dataset ask: one sentence for a fault, and a study set end to end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from radpair.errors import SourceError
from radpair.records import FileSource, Study
from radpair.studyset import StudySet, write


def refused(studies: Callable[[], object], *parts: str) -> None:
    """Asserts that reading stops with one sentence that has all ``parts``."""
    with pytest.raises(SourceError) as caught:
        studies()
    message = str(caught.value)
    for part in parts:
        assert part in message, message
    assert "\n" not in message


def ingested(source: FileSource, out: Path) -> StudySet:
    """The study set of a source, twice the same, with patients in one split each."""
    assert isinstance(source, FileSource)
    given = list(source.studies())
    assert given == list(source.studies()), "another order or content the second time"
    assert len({study.study_id for study in given}) == len(given)
    write(source, out, size=32, processes=1)
    studies = StudySet.open(out)
    splits = defaultdict(set)
    for row in rows(out, "studies"):
        splits[row["patient_id"]].add(row["split"])
    assert all(len(found) == 1 for found in splits.values())
    assert write(source, out, size=32, processes=1).was_complete
    return studies


def rows(out: Path, table: str) -> list[dict[str, object]]:
    """One of a study set's tables."""
    found: list[dict[str, object]] = pq.read_table(out / f"{table}.parquet").to_pylist()
    return found


def paths(study: Study) -> list[str]:
    return [view.path for view in study.views]
