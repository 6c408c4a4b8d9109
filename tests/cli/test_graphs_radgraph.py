"""``radpair graphs --from radgraph`` as a user types it; the package is a stand-in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from radgraph_stand_in import make_weights, stand_in_python
from radpair.cli import main
from radpair.graphs import radgraph_json
from radpair.studyset import StudySet


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one sentence of a refused command."""
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    message = capsys.readouterr().err.strip()
    assert "Traceback" not in message
    return message


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    weights = make_weights(tmp_path / "weights")
    python = stand_in_python(tmp_path, monkeypatch)
    return ["--from", "radgraph", "--weights", str(weights), "--python", str(python)]


def jsonl(path: Path, texts: dict[str, str]) -> Path:
    lines = [json.dumps({"id": name, "text": text}) for name, text in texts.items()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def words(path: Path) -> dict[str, list[str]]:
    return {
        name: [entity.text for entity in graph.entities]
        for name, graph in radgraph_json.read(path).items()
    }


def test_findings_and_impression_go_in_and_reasons_come_out(
    tmp_path: Path, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    texts = {
        "a": "INDICATION: cough\n\nFINDINGS: small effusion\n\nIMPRESSION: edema",
        "b": "raise it",
        "c": "",
        "d": "no edema. .",
    }
    out = tmp_path / "graphs.json"
    main(["graphs", str(jsonl(tmp_path / "r.jsonl", texts)), "--out", str(out), *options])
    assert words(out) == {
        "a": ["small", "effusion", "edema"],
        "b": [],
        "c": [],
        "d": ["no", "edema."],
    }
    assert (tmp_path / "graphs.without-entity.csv").read_text() == (
        "id,reason\nb,ValueError: two lines\nc,empty report\n"
    )
    assert "indication in 1 report, 1 word" in capsys.readouterr().out


def test_after_a_stop_the_same_command_keeps_what_is_done(
    tmp_path: Path, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    crashes = {f"x{number}": f"leave {number}" for number in range(3)}
    table = jsonl(tmp_path / "r.jsonl", {"a": "once edema", **crashes, "b": "no edema"})
    command = ["graphs", str(table), "--out", str(tmp_path / "graphs.json"), *options]
    assert "stopped on 3 reports in a row" in refused(command, capsys)
    assert not (tmp_path / "graphs.json").exists()
    (tmp_path / "seen").unlink()
    main(command)
    assert "3 of 5 reports are done" in capsys.readouterr().err
    assert not (tmp_path / "seen").exists(), "a report that was done was asked again"
    assert words(tmp_path / "graphs.json")["b"] == ["no", "edema"]


def test_other_weights_start_anew(
    tmp_path: Path, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    crashes = {f"x{number}": f"leave {number}" for number in range(3)}
    table = jsonl(tmp_path / "r.jsonl", {"a": "no edema", **crashes})
    command = ["graphs", str(table), "--out", str(tmp_path / "graphs.json"), *options]
    refused(command, capsys)
    (tmp_path / "weights" / "radgraph-xl" / "weights.th").write_bytes(b"other")
    assert "weights_sha256 changed" in refused(command, capsys)


def test_a_study_set_takes_them_in(tmp_path: Path, options: list[str]) -> None:
    folder = str(tmp_path / "set")
    main(["ingest", "phantom", "--out", folder, "--studies", "3", "--size", "64"])
    main(["graphs", folder, *options, "--processes", "1"])
    studies = StudySet.open(folder)
    assert all(graph.entities for graph in studies.graphs())
    facts = (tmp_path / "set" / "graphs.json").read_text()
    assert "radgraph-xl" in facts
    assert "weights_sha256" in facts


def test_options_that_do_not_fit_are_refused(
    tmp_path: Path, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    table = str(jsonl(tmp_path / "r.jsonl", {"a": "no edema"}))
    start = ["graphs", table, "--out", str(tmp_path / "graphs.json")]
    assert "needs --weights" in refused([*start, *options[:4]], capsys)
    assert "add --from radgraph" in refused([*start, "--model", "radgraph"], capsys)
    lexicon = tmp_path / "mine.toml"
    lexicon.write_text("")
    assert "leave out --lexicon" in refused([*start, *options, "--lexicon", str(lexicon)], capsys)
    assert "no model 'xl'" in refused([*start, *options, "--model", "xl"], capsys)
