"""Graphs of a set by rules: resumable, with a reason for every report that has none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from gradients import Gradients

from radpair.graphs import corpus, extract
from radpair.graphs.origin import Chunk, Entry, Rules
from radpair.studyset import StudySet, give_graphs, write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(Gradients(40), tmp_path / "set", size=48, processes=1)
    return tmp_path / "set"


def test_every_report_has_its_graph_and_every_empty_one_its_reason(folder: Path) -> None:
    summary = give_graphs(folder)
    studies = StudySet.open(folder)
    assert studies.graphs() == [extract(report) for report in studies.reports]
    provenance = json.loads((folder / "graphs.json").read_text())["provenance"]
    empty = [i for i, report in zip(studies.study_ids, studies.reports, strict=True) if not report]
    assert provenance["from"] == "rules"
    assert provenance["without"] == {"empty report": empty}
    assert provenance["without_entities"] == {"empty report": len(empty)}
    assert provenance["words_read"] > 0
    assert summary.empty == len(empty)
    assert f"without an entity: {len(empty)} reports (empty report)" in str(summary)


class Stops(Rules):
    def entries(self, chunks: Iterator[Chunk]) -> Iterator[list[Entry]]:
        for number, entries in enumerate(super().entries(chunks)):
            if number == 3:
                raise KeyboardInterrupt
            yield entries


def test_a_stopped_run_goes_on_and_ends_with_the_same_bytes(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corpus, "CHUNK", 5)
    give_graphs(folder)
    names = ("graphs.json", "graphs.parquet")
    whole = [(folder / name).read_bytes() for name in names]
    with pytest.raises(KeyboardInterrupt):
        give_graphs(folder, Stops())
    assert StudySet.open(folder).has_graphs
    said: list[str] = []
    give_graphs(folder, say=said.append)
    count = len(StudySet.open(folder))
    assert said == [f".graphs.part: 15 of {count} reports are done, the rest follows"]
    assert [(folder / name).read_bytes() for name in names] == whole
    assert not (folder / ".graphs.part").exists()
