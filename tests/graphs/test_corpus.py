"""Graphs of a corpus: the same bytes however they came about, and a reason for what is missing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radpair.errors import GraphError
from radpair.graphs import corpus, extract
from radpair.graphs.corpus import write_corpus
from radpair.graphs.files import journal
from radpair.graphs.origin import Chunk, Entry, Rules, entry, graph_json
from radpair.graphs.radgraph_json import read, to_json
from radpair.graphs.schema import RELATION_TYPES
from radpair.records import Entity, Graph, Relation
from radpair.sources.reports import ReportText

TEXTS = (
    "FINDINGS: Small left pleural effusion. No pneumothorax.",
    "INDICATION: cough\n\nIMPRESSION: Possible pneumonia in the right lower lobe.",
    "",
    "___ XXXX",
    "42.",
    "Thank you for the kind words.",
    "History of pneumonia.",
    '<b>Heart</b> & "lungs" normal\t.',
)


def reports(count: int = 8) -> list[ReportText]:
    return [ReportText(f"r{n}", f"{TEXTS[n % 8]} {n // 8 or ''}".strip()) for n in range(count)]


def written(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_the_file_holds_what_extract_gives_in_the_reports_order(tmp_path: Path) -> None:
    given_reports = reports(20)
    result = write_corpus(lambda: given_reports, tmp_path / "graphs.json", Rules())
    found = read(tmp_path / "graphs.json")
    assert list(found) == [report.id for report in given_reports]
    assert found == {report.id: extract(report.text) for report in given_reports}
    assert result.totals.reports == 20
    assert result.totals.entities == sum(len(graph.entities) for graph in found.values())
    assert result.totals.relations == sum(len(graph.relations) for graph in found.values())
    assert sorted(written(tmp_path)) == ["graphs.json", "graphs.without-entity.csv"]


def test_every_report_without_an_entity_has_its_reason(tmp_path: Path) -> None:
    result = write_corpus(lambda: reports(), tmp_path / "graphs.json", Rules())
    assert result.without.read_text().splitlines() == [
        "id,reason",
        "r2,empty report",
        "r3,only de-identification marks",
        "r4,no words",
        "r5,no term of the lexicon",
        'r6,"terms of the lexicon, but nothing stated of this study"',
    ]
    assert result.totals.account.left_out_words == {"indication": 1}
    told = str(result)
    assert "without an entity: 1 report (empty report)" in told
    assert "left out: indication in 1 report, 1 word (what was asked" in told


def test_processes_do_not_change_the_bytes(tmp_path: Path) -> None:
    contents = []
    for processes in (1, 2):
        folder = tmp_path / str(processes)
        folder.mkdir()
        write_corpus(lambda: reports(200), folder / "graphs.json", Rules(None, processes))
        contents.append(written(folder))
    assert contents[0] == contents[1]


class Stops(Rules):
    """Ends after some chunks, as if killed between two."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.after = after

    def entries(self, chunks: Iterator[Chunk]) -> Iterator[list[Entry]]:
        for number, entries in enumerate(super().entries(chunks)):
            if number == self.after:
                raise KeyboardInterrupt
            yield entries


class Counts(Rules):
    """Notes the reports that it was asked for."""

    def __init__(self, lexicon: Path | None = None) -> None:
        super().__init__(lexicon)
        self.asked: list[str] = []

    def entries(self, chunks: Iterator[Chunk]) -> Iterator[list[Entry]]:
        for chunk in chunks:
            self.asked += [report.id for report in chunk]
            yield from super().entries([chunk])


@pytest.fixture
def whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """What an unbroken run writes for 20 reports."""
    monkeypatch.setattr(corpus, "CHUNK", 3)
    folder = tmp_path / "whole"
    folder.mkdir()
    write_corpus(lambda: reports(20), folder / "graphs.json", Rules())
    return written(folder)


def stopped(folder: Path, after: int) -> Path:
    folder.mkdir()
    with pytest.raises(KeyboardInterrupt):
        write_corpus(lambda: reports(20), folder / "graphs.json", Stops(after))
    assert not (folder / "graphs.json").exists()
    return folder / ".graphs.json.part"


@pytest.mark.parametrize("after", [0, 1, 5])
def test_a_stopped_run_goes_on_where_it_was(
    tmp_path: Path, whole: dict[str, bytes], after: int
) -> None:
    stopped(tmp_path / "broken", after)
    rest, said = Counts(), []
    write_corpus(lambda: reports(20), tmp_path / "broken" / "graphs.json", rest, None, said.append)
    assert written(tmp_path / "broken") == whole
    assert rest.asked == [report.id for report in reports(20)[3 * after :]]
    assert said == (
        [f".graphs.json.part: {3 * after} of 20 reports are done, the rest follows"]
        if after
        else []
    )


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_a_journal_cut_or_altered_anywhere_is_mended(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("journal") / "part"
    lines = [b"line %d" % number for number in range(6)]
    with journal(path, {"a": "1"}) as book:
        book.add(lines)
    content = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        del content[at:]
    else:
        content[at] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content)
    with journal(path, {"a": "1"}) as book:
        assert list(book.lines()) == lines[: book.done]
        book.add(lines[book.done :])
        assert list(book.lines()) == lines


@pytest.mark.parametrize("change", ["reports", "lexicon"])
def test_a_change_starts_anew_and_says_so(
    tmp_path: Path, whole: dict[str, bytes], change: str
) -> None:
    stopped(tmp_path / "broken", 3)
    changed, lexicon = reports(20), None
    if change == "reports":
        changed[1] = ReportText("r1", "No nodule.")
    else:
        lexicon = tmp_path / "mine.toml"
        lexicon.write_text('[finding]\nthanks = ["kind words"]\n')
    run, said = Counts(lexicon), []
    out = tmp_path / "broken" / "graphs.json"
    write_corpus(lambda: changed, out, run, None, said.append)
    assert run.asked == [report.id for report in changed]
    assert said == [f".graphs.json.part: {change} changed since the last run, so it starts anew"]
    assert written(tmp_path / "broken") != whole


def test_reports_that_change_under_way_are_refused(tmp_path: Path) -> None:
    passes = iter([reports(8), reports(9)])
    with pytest.raises(GraphError, match="changed while they were read"):
        write_corpus(lambda: next(passes), tmp_path / "graphs.json", Rules())
    assert not (tmp_path / "graphs.json").exists()


def test_two_runs_do_not_write_the_same_file(tmp_path: Path) -> None:
    with (
        journal(tmp_path / ".graphs.json.part", {}),
        pytest.raises(GraphError, match="another process"),
    ):
        write_corpus(lambda: reports(), tmp_path / "graphs.json", Rules())


@pytest.mark.parametrize("place", ["", "none/graphs.json"])
def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, place: str) -> None:
    with pytest.raises(GraphError, match=r"is a folder|no such folder"):
        write_corpus(lambda: reports(), tmp_path / place, Rules())


HARD = {
    "a megabyte": "The lungs are as they were on the film before. No effusion. " * 17_000,
    "one long line": "effusion, " * 20_000,
    "HTML": "<html><script>alert(1)</script><p>No effusion</p>" * 50,
    "binary": bytes(range(256)).decode("latin-1") * 40,
    "halves of pairs": "No \ud800 effusion \udfff",
    "nested lists": "1. (a) [" * 3_000 + "mass" + "]" * 3_000,
    "another language": "Kein Pleuraerguss. 胸腔积液。",
    "tabs and breaks": "No\teffusion\r\n\u2028.\x0b\x0c\n",
}


def test_hard_texts_give_graphs_that_can_be_read(tmp_path: Path) -> None:
    hard = [ReportText(name, text) for name, text in HARD.items()]
    hard.append(ReportText('an "id"\t\ud800\\', "No mass."))
    write_corpus(lambda: hard, tmp_path / "graphs.json", Rules())
    found = read(tmp_path / "graphs.json")
    assert list(found) == [report.id for report in hard]
    assert found["HTML"].entities
    assert [entity.text for entity in found["a megabyte"].entities[:2]] == ["lungs", "effusion"]


@given(st.text(max_size=60), st.text(min_size=1, max_size=9))
@settings(deadline=None)
def test_an_entry_survives_its_line(text: str, report_id: str) -> None:
    words = [*text.split(" "), "mass"]
    entity = Entity("mass", "Observation::uncertain", len(words) - 1, len(words) - 1)
    kept = entry(ReportText(report_id, text), Graph(" ".join(words), (entity,)))
    again = Entry.of_line(kept.line())
    assert again == kept
    assert again.graph() == Graph(" ".join(words), (entity,))
    assert b"\n" not in kept.line()


@given(st.lists(st.text(max_size=9), min_size=1, max_size=4), st.data())
def test_graph_json_is_that_of_the_library(words: list[str], data: st.DataObject) -> None:
    entities = tuple(Entity(word, "Anatomy::uncertain", at, at) for at, word in enumerate(words))
    ends = st.integers(0, len(words) - 1)
    links = st.builds(Relation, ends, st.sampled_from(RELATION_TYPES), ends)
    graph = Graph(" ".join(words), entities, tuple(data.draw(st.lists(links))))
    assert graph_json(graph) == json.dumps(to_json(graph), ensure_ascii=False)


SCRIPT = """
import os, signal, sys
from radpair.cli import main
from radpair.graphs import corpus, files

corpus.CHUNK = 4
left, whole_add = int(os.environ["KILL_AT"]), files.Journal.add

def add(book, lines):
    global left
    left -= 1
    if left == 0:
        book._file.write(next(iter(lines))[:20])
        book._file.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    whole_add(book, lines)

files.Journal.add = add
if __name__ == "__main__":
    main(sys.argv[1:])
"""
"""The command line, killed in the middle of the line that begins a chosen chunk."""


@pytest.mark.parametrize("processes", ["1", "2"])
def test_sigkill_and_the_same_command_give_the_same_bytes(tmp_path: Path, processes: str) -> None:
    data, script = tmp_path / "reports.jsonl", tmp_path / "run.py"
    rows = [json.dumps({"id": report.id, "text": report.text}) for report in reports(400)]
    data.write_text("\n".join(rows))
    script.write_text(SCRIPT)
    for name in ("whole", "broken"):
        (tmp_path / name).mkdir()

    def run(folder: str, count: str, kill_at: int = 0) -> int:
        out = str(tmp_path / folder / "graphs.json")
        command = [sys.executable, str(script), "graphs", str(data), "--out", out]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "KILL_AT": str(kill_at)}
        return subprocess.run(
            [*command, "--processes", count], env=environment, check=False
        ).returncode

    assert run("whole", "1") == 0
    for kill_at in (1, 30, 7):
        assert run("broken", processes, kill_at) == -signal.SIGKILL
        assert sorted(written(tmp_path / "broken")) == [".graphs.json.part"]
    assert run("broken", processes) == 0
    assert written(tmp_path / "broken") == written(tmp_path / "whole")
