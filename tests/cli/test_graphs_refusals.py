"""What the verbs of graphs and labels refuse, so that no input is ever written over."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from radpair.cli import main
from radpair.graphs import extract, finding_names, radgraph_json

ONE = ("--processes", "1")
TERMS = '[finding]\nscimitar = ["scimitar sign"]\n'


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one sentence of a refused command."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    lines = capsys.readouterr().err.strip().splitlines()
    told = [line for line in lines if line.startswith("radpair: ")]
    assert len(told) == 1, lines
    return told[0]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to stand in, with reports, terms and two files of graphs."""
    monkeypatch.chdir(tmp_path)
    Path("r.csv").write_text("id,text\na,No effusion.\nb,Edema.\n")
    Path("mine.toml").write_text(TERMS)
    graphs = {"a": extract("No effusion."), "b": extract("Edema.")}
    radgraph_json.write(Path("a.json"), graphs)
    radgraph_json.write(Path("b.json"), graphs)
    return tmp_path


OVER_INPUTS = {
    "stats": (["graphs", "stats", "a.json", "--out", "X"], "a.json"),
    "diff, reference": (["graphs", "diff", "a.json", "b.json", "--out", "X"], "a.json"),
    "diff, found": (["graphs", "diff", "a.json", "b.json", "--out", "X"], "b.json"),
    "show": (["graphs", "show", "a.json", "a", "--out", "X"], "a.json"),
    "show, lexicon": (
        ["graphs", "show", "--text", "x", "--lexicon", "mine.toml", "--out", "X"],
        "mine.toml",
    ),
    "graphs, table": (["graphs", "r.csv", "--out", "X", *ONE], "r.csv"),
    "graphs, lexicon": (
        ["graphs", "r.csv", "--lexicon", "mine.toml", "--out", "X", *ONE],
        "mine.toml",
    ),
    "labels, table": (["labels", "r.csv", "--scheme", "nih14", "--out", "X", *ONE], "r.csv"),
    "labels, graphs": (["labels", "a.json", "--scheme", "nih14", "--out", "X"], "a.json"),
    "labels, lexicon": (
        ["labels", "r.csv", "--scheme", "nih14", "--lexicon", "mine.toml", "--out", "X", *ONE],
        "mine.toml",
    ),
}


def itself(file: Path) -> Path:
    return file


def other_spelling(file: Path) -> Path:
    return Path("..") / file.absolute().parent.name / file


def symbolic_link(file: Path) -> Path:
    link = Path(f"link{file.suffix}")
    link.symlink_to(file)
    return link


def hard_link(file: Path) -> Path:
    link = Path(f"hard{file.suffix}")
    os.link(file, link)
    return link


@pytest.mark.parametrize("way", [itself, other_spelling, symbolic_link, hard_link])
@pytest.mark.parametrize("case", OVER_INPUTS)
def test_no_output_is_an_input(
    case: str, way: Callable[[Path], Path], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments, target = OVER_INPUTS[case]
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    out = str(way(Path(target)))
    message = refused([out if word == "X" else word for word in arguments], capsys)
    assert "choose another --out" in message
    assert out in message
    after = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) <= {"link.json", "hard.json", "link.csv", "hard.csv"} | {
        "link.toml",
        "hard.toml",
    }


def test_the_table_that_goes_with_the_graphs_is_no_input_either(folder: Path, capsys) -> None:
    table = Path("r.csv").rename("graphs.without-entity.csv")
    before = table.read_bytes()
    message = refused(["graphs", str(table), "--out", "graphs.json", *ONE], capsys)
    assert "graphs.without-entity.csv" in message
    assert "choose another --out" in message
    assert table.read_bytes() == before


def test_the_table_that_goes_with_the_labels_is_no_input_either(folder: Path, capsys) -> None:
    table = Path("r.csv").rename("labels.without-label.csv")
    before = table.read_bytes()
    verb = ["labels", str(table), "--scheme", "nih14", "--out", "labels.csv", *ONE]
    message = refused(verb, capsys)
    assert "labels.without-label.csv, which is written with labels.csv" in message
    assert table.read_bytes() == before
    assert not Path("labels.csv").exists()


def test_a_study_set_is_not_written_over(disc_set: Path, tmp_path: Path, capsys) -> None:
    copy = shutil.copytree(disc_set, tmp_path / "set")
    for name in ("manifest.json", "graphs.json"):
        for verb in (["stats", str(copy)], ["diff", str(copy), str(copy)]):
            message = refused(["graphs", *verb, "--out", str(copy / name)], capsys)
            assert "choose another --out" in message
    main(["verify", str(copy)])


ENDINGS = {
    "graphs r.csv --out x.csv": ".json",
    "graphs r.csv --out x": ".json",
    "graphs stats a.json --out x.txt": ".json",
    "graphs diff a.json b.json --out x.csv": ".json",
    "labels r.csv --scheme nih14 --out x.json": ".csv",
    "labels a.json --scheme nih14 --out x": ".csv",
}


@pytest.mark.parametrize("command", ENDINGS)
def test_an_outputs_name_says_what_it_is(command: str, folder: Path, capsys) -> None:
    before = sorted(folder.iterdir())
    assert f"ends in {ENDINGS[command]}" in refused(command.split(), capsys)
    assert sorted(folder.iterdir()) == before


NUMBERS = [
    "graphs r.csv --out x.json --processes 0",
    "graphs r.csv --out x.json --processes -2",
    "labels r.csv --scheme nih14 --out x.csv --processes 0",
    "graphs stats a.json --top -1",
    "graphs diff a.json b.json --top -1",
]


@pytest.mark.parametrize("command", NUMBERS)
def test_numbers_that_mean_nothing_are_refused(command: str, folder: Path, capsys) -> None:
    *_, option, value = command.split()
    assert f"{option} {value}: give" in refused(command.split(), capsys)


SENTENCES = {
    "graphs stat a.json": "did you mean 'stats'?",
    "graphs stat": "did you mean 'stats'?",
    "graphs dif a.json b.json": "did you mean 'diff'?",
    "graphs r.csv b.json --out x.json": "one study set, table or folder",
    "graphs stats r.csv": "radpair graphs r.csv --out r.json",
    "graphs diff a.json r.csv": "radpair graphs r.csv --out r.json",
    "graphs show r.csv a": "radpair graphs r.csv --out r.json",
    "graphs stats rows.jsonl": "radpair graphs rows.jsonl --out rows.json",
    "graphs stats texts": "radpair graphs texts --out texts.json",
    "labels a.json --scheme nih14 --out x.csv --from rules": "--from graphs",
    "labels r.csv --scheme nih14 --out x.csv --from graphs": "leave out --from",
    "labels texts --scheme nih14 --out x.csv --from graphs": "leave out --from",
    "labels r.csv --scheme nih14 --out x.csv --from bogus": "known: graphs, rules",
    "graphs r.csv --out x.json --from rule": "--from rule: is unknown; did you mean 'rules'?",
    "graphs r.csv --out x.json --from bogus": "--from bogus: is unknown; known: radgraph, rules",
    "graphs r.csv --out x.json --from a.json": "into a study set only",
    "graphs a.json --out x.json": "holds graphs already",
}


@pytest.mark.parametrize("command", SENTENCES)
def test_a_wrong_word_is_answered_with_the_right_one(command: str, folder: Path, capsys) -> None:
    Path("texts").mkdir()
    Path("texts/a.txt").write_text("No effusion.")
    Path("rows.jsonl").write_text('{"id": "a", "text": "Edema."}\n')
    words = command.replace("r.csv --out x", "r.csv --processes 1 --out x").split()
    assert SENTENCES[command] in refused(words, capsys)
    assert not Path("x.json").exists()
    assert not Path("x.csv").exists()


def test_an_unknown_origin_of_a_sets_graphs(disc_set: Path, capsys) -> None:
    start = ["graphs", str(disc_set), "--from"]
    assert "is unknown; did you mean 'source'?" in refused([*start, "sorce"], capsys)
    assert "known: radgraph, rules, source" in refused([*start, "bogus"], capsys)
    assert "none.json" in refused([*start, "none.json"], capsys)


def test_columns_are_named_alike_in_both_verbs(folder: Path) -> None:
    Path("two.csv").write_text("id,findings,impression\na,No effusion.,Edema.\n")
    texts = ("findings", "impression")
    ways = (("--text-columns", *texts), ("--text-column", *texts))
    ways += (("--text-column", texts[0], "--text-column", texts[1]),)
    for way in ways:
        main(["graphs", "two.csv", *way, "--out", "two.json", *ONE])
        main(["labels", "two.csv", *way, "--scheme", "nih14", "--out", "two.labels.csv", *ONE])
        assert "Edema" in json.loads(Path("two.json").read_text())["a"]["text"]
        row = Path("two.labels.csv").read_text().splitlines()[1].split(",")
        assert row[1 + finding_names("nih14").index("Edema")] == "1"


BOTH = ("graphs {} --out x.json", "labels {} --scheme nih14 --out x.csv")
FAULTS = {
    "deep.jsonl": ('{"id": "a", "text": ' + "[" * 100_000 + "\n", "deep.jsonl, row 1"),
    "bare.csv": ("id,text\n", "bare.csv: has no rows, so no reports"),
}


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("verb", BOTH)
def test_both_verbs_name_what_is_wrong_with_a_table(
    verb: str, name: str, folder: Path, capsys
) -> None:
    content, told = FAULTS[name]
    Path(name).write_text(content)
    before = sorted(folder.iterdir())
    assert told in refused([*verb.format(name).split(), *ONE], capsys)
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize(
    ("verb", "name"), [(BOTH[0], "big.csv"), (BOTH[1], "big.csv"), (BOTH[1], "bare.json")]
)
def test_a_full_disk_is_told_with_the_file(verb: str, name: str, folder: Path, capsys) -> None:
    rows = [f"r{n},Small left pleural effusion {n}.\n" for n in range(800)]
    Path("big.csv").write_text("id,text\n" + "".join(rows))
    bare = {f"r{n}": {"text": "", "entities": {}} for n in range(800)}
    Path("bare.json").write_text(json.dumps(bare))
    before = {path.name for path in folder.iterdir()}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8_000, limits[1]))
    try:
        message = refused([*verb.format(name).split(), *ONE], capsys)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "cannot be written (File too large)" in message
    assert {"g": ".x.json.part", "l": "x.csv"}[verb[0]] in message
    assert {path.name for path in folder.iterdir()} - before <= {".x.json.part"}
    main([*verb.format(name).split(), *ONE])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
@pytest.mark.parametrize("verb", BOTH)
def test_a_folder_that_is_read_only_is_told(verb: str, folder: Path, capsys) -> None:
    folder.chmod(0o555)
    try:
        assert "Permission denied" in refused([*verb.format("r.csv").split(), *ONE], capsys)
    finally:
        folder.chmod(0o755)


@pytest.mark.parametrize(
    "command",
    [
        "graphs half.jsonl --out x.json",
        "labels half.jsonl --scheme nih14 --out x.csv",
        "labels half.json --scheme nih14 --out x.csv",
        "graphs stats half.json --out x.json",
        "graphs diff half.json a.json --out x.json",
        "graphs show half.json a --out x.html",
        "graphs show half.json a --out x.svg",
    ],
)
def test_half_a_surrogate_stops_nothing(command: str, folder: Path) -> None:
    word = "\\ud800"
    Path("half.jsonl").write_text(f'{{"id": "a{word}", "text": "No effusion {word}."}}\n')
    entity = (
        f'{{"tokens": "{word}", "label": "OBS-DP", "start_ix": 0, "end_ix": 0, "relations": []}}'
    )
    graph = f'{{"text": "{word} x", "entities": {{"1": {entity}}}}}'
    Path("half.json").write_text(f'{{"a": {graph}, "a{word}": {graph}}}')
    if "diff" in command:
        Path("a.json").write_text(f'{{"a": {graph.replace("OBS-DP", "OBS-U")}}}')
    script = "import sys; from radpair.cli import main; main(sys.argv[1:])"
    one = [] if command.split()[1] in {"stats", "diff", "show"} else ONE
    done = subprocess.run(
        [sys.executable, "-c", script, *command.split(), *one], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert Path(command.split()[-1]).exists()
