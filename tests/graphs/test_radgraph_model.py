"""The adapter for RadGraph's own model, against a stand-in for the package and the package itself.

The second part runs where the variable RADPAIR_RADGRAPH_PYTHON names the interpreter of an
environment that holds the real package; its weights are made here, tiny and random.
"""

from __future__ import annotations

import hashlib
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from radgraph_stand_in import make_weights, stand_in_python
from radpair.errors import GraphError
from radpair.graphs.agreement import compare
from radpair.graphs.origin import Rules
from radpair.graphs.radgraph_json import from_json, to_json
from radpair.graphs.radgraph_model import RadGraphModel
from radpair.graphs.radgraph_origin import FromRadGraph
from radpair.graphs.schema import ENTITY_LABELS, RELATION_TYPES
from radpair.records import Graph
from radpair.sources.reports import ReportText


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return make_weights(tmp_path / "weights")


@pytest.fixture
def python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return stand_in_python(tmp_path, monkeypatch)


@pytest.fixture
def model(python: Path, weights: Path) -> Iterator[RadGraphModel]:
    with RadGraphModel(python, weights) as model:
        yield model


def graph(found: Graph | str) -> Graph:
    assert isinstance(found, Graph), found
    return found


def words(found: Graph | str) -> list[str]:
    return [entity.text for entity in graph(found).entities]


def reason(found: Graph | str) -> str:
    assert isinstance(found, str), found
    return found


def pids(model: RadGraphModel) -> int:
    return model.worker.process.pid


def test_graphs_come_through_whatever_the_package_prints(model: RadGraphModel) -> None:
    texts = ["small effusion", "", "line\nbreak", "caf\u00e9 \u6f22 \U0001f600 \x07 <b>", " \t"]
    found = list(model.graphs(texts))
    assert words(found[0]) == ["small", "effusion"]
    assert found[1] == "empty report"
    assert words(found[2]) == ["line", "break"]
    assert words(found[3]) == ["caf\u00e9", "\u6f22", "\U0001f600", "\x07", "<b>"]
    assert found[4] == "empty report"


def test_a_megabyte_passes_both_ways(model: RadGraphModel) -> None:
    text = "effusion " * 20_000
    assert len(graph(model.graph(text)).entities) == 20_000


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("raise it", "ValueError: two lines"),
        ("nothing here", "ValueError: RadGraph gave no graph"),
        ("span wrong", "RadGraph's answer, entity '1', field 'tokens': says 'else' but the text"),
        ("label wrong", "field 'label': unknown label 'Observation::sure'"),
        ("half \ud83d of a character", "half a character (U+D83D)"),
        ("12 34", "no words"),
    ],
)
def test_the_fault_of_one_report_is_its_reason(model: RadGraphModel, text: str, said: str) -> None:
    before = pids(model)
    assert said in reason(model.graph(text))
    assert words(model.graph("no effusion")) == ["no", "effusion"]
    assert pids(model) == before


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("leave us", "RadGraph stopped on it: exit code 3: a last word"),
        ("die now", "RadGraph stopped on it: killed by SIGKILL, perhaps for want of memory"),
        ("cuda gone", "exit code 1: RuntimeError: CUDA error: device-side assert triggered"),
    ],
)
def test_after_a_crash_it_starts_again(model: RadGraphModel, text: str, said: str) -> None:
    assert said in reason(model.graph(text))
    assert words(model.graph("no effusion")) == ["no", "effusion"]


def test_a_report_that_passes_the_second_time_has_its_graph(model: RadGraphModel) -> None:
    assert words(model.graph("once only")) == ["once", "only"]


def test_a_worker_killed_between_reports_is_replaced(model: RadGraphModel) -> None:
    for _ in range(4):
        os.kill(pids(model), signal.SIGKILL)
        assert words(model.graph("no effusion")) == ["no", "effusion"]


def test_three_crashes_in_a_row_end_the_job(model: RadGraphModel) -> None:
    texts = ["leave 1", "", "leave 2", "fine", "leave 3", "leave 4", "leave 5"]
    found = model.graphs(texts)
    assert [isinstance(next(found), str) for _ in range(6)] == [True] * 3 + [False] + [True] * 2
    with pytest.raises(GraphError, match=r"3 reports in a row with .*exit code 3: a last word"):
        next(found)


def test_slow_is_waited_for_and_too_slow_is_a_reason(python: Path, weights: Path) -> None:
    with RadGraphModel(python, weights, patience=5) as model:
        assert words(model.graph("wait 0.5")) == ["wait", "0.5"]
        assert reason(model.graph("wait 60")) == "RadGraph stopped on it: no answer within 5 s"
        assert words(model.graph("no effusion")) == ["no", "effusion"]


def test_the_network_is_refused(model: RadGraphModel) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert "the network, which radpair keeps shut" in reason(model.graph(f"call {port}"))
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "TORCH_FORCE_WEIGHTS_ONLY_LOAD"):
        assert reason(model.graph(f"environment {name}")) == "LookupError: 1"


def test_threads_and_device_reach_the_package(python: Path, weights: Path) -> None:
    with RadGraphModel(python, weights, device="cuda", threads=3) as model:
        assert reason(model.graph("environment OMP_NUM_THREADS")) == "LookupError: 3"
        assert reason(model.graph("device it")) == "LookupError: 0"


def test_modules_of_radpair_do_not_hide_those_of_the_package(model: RadGraphModel) -> None:
    assert reason(model.graph("import radgraph_json")).startswith("ModuleNotFoundError")


def test_it_names_what_decides_the_graphs(model: RadGraphModel) -> None:
    digest = hashlib.sha256(b"no weights").hexdigest()
    assert model.provenance() == {
        "model": "radgraph-xl",
        "radgraph": "unknown",
        "weights_sha256": digest,
    }


def test_a_relative_interpreter_is_found(
    python: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "env").mkdir()
    (tmp_path / "env" / "python").symlink_to(python)
    monkeypatch.chdir(tmp_path)
    with RadGraphModel(Path("env/python"), Path("weights")) as model:
        assert words(model.graph("no effusion")) == ["no", "effusion"]


def test_it_ends_with_its_block(python: Path, weights: Path) -> None:
    with RadGraphModel(python, weights) as model:
        process = model.worker.process
    assert process.returncode == -signal.SIGKILL


def test_without_the_package_it_says_how_to_install_it(weights: Path) -> None:
    with pytest.raises(
        GraphError, match=r"did not start with .*ModuleNotFoundError.*pip install radgraph"
    ):
        RadGraphModel(Path(sys.executable), weights)


@pytest.mark.parametrize(
    ("variable", "fault", "device", "said"),
    [
        ("FAULT", "ImportError: no requests", "cpu", "ImportError: no requests; in its env"),
        ("FAULT", "SystemExit: 7", "cpu", "exit code 1: 7"),
        ("FAULT_AT_START", "OSError: offline", "cpu", r"tokenizer's files of 'some/bert', which"),
        ("FAULT_AT_START", "RuntimeError: No CUDA GPUs", "cuda", "give the device 'cpu'"),
    ],
)
def test_a_start_that_fails_is_one_sentence_with_a_remedy(
    python: Path,
    weights: Path,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    fault: str,
    device: str,
    said: str,
) -> None:
    monkeypatch.setenv(variable, fault)
    with pytest.raises(GraphError, match=said) as caught:
        RadGraphModel(python, weights, device=device)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["config.json", "weights.th", "vocabulary"])
def test_a_missing_part_is_named(python: Path, weights: Path, name: str) -> None:
    part = weights / "radgraph-xl" / name
    part.rename(weights / "elsewhere")
    with pytest.raises(GraphError, match=rf"{name}' is missing; unpack radgraph-xl.tar.gz"):
        RadGraphModel(python, weights)


def test_what_is_no_interpreter_is_named(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(GraphError, match=r"no interpreter at '.*nowhere'.*ENV/bin/python"):
        RadGraphModel(tmp_path / "nowhere", weights)
    (tmp_path / "env").mkdir()
    with pytest.raises(GraphError, match=r"such as .*/env/bin/python"):
        RadGraphModel(tmp_path / "env", weights)
    rubbish = tmp_path / "rubbish"
    rubbish.write_bytes(b"\x7fELF rubbish")
    rubbish.chmod(0o755)
    with pytest.raises(GraphError, match="Cannot run"):
        RadGraphModel(rubbish, weights)
    with pytest.raises(GraphError, match=r"it said '-W ignore"):
        RadGraphModel(Path("echo"), weights)


def test_wrong_names_are_refused_before_anything_starts(python: Path, weights: Path) -> None:
    with pytest.raises(GraphError, match="no model 'radgraf'"):
        RadGraphModel(python, weights, "radgraf")
    with pytest.raises(GraphError, match="runs on no 'tpu'"):
        RadGraphModel(python, weights, device="tpu")
    with pytest.raises(GraphError, match="give the folder in which the folder 'radgraph-xl' lies"):
        RadGraphModel(python, weights / "radgraph-xl")
    (weights / "radgraph-xl" / "config.json").write_text("{}")
    with pytest.raises(GraphError, match=r"config.json' names no language model"):
        RadGraphModel(python, weights)


VARIABLE = "RADPAIR_RADGRAPH_PYTHON"
real = pytest.mark.skipif(
    VARIABLE not in os.environ,
    reason=f"{VARIABLE} names no interpreter of an environment with the radgraph package",
)
REPORTS = [
    "FINDINGS: Small left pleural effusion. No pneumothorax.\n\nIMPRESSION: Effusion.",
    "The heart is normal in size; a 4.5 cm opacity (new) is seen in the right lung/hilum, 10%.",
    "word",
    "\u00e9\u00fc \u2028 \u6f22\u5b57 \u2603 \x07 <b>html</b> \U0001f600 \u200b [**Name**] ___",
    'said "clear".',
]


def long_report(count: int) -> str:
    words = ("no", "the", "is", "left", "lung", "heart", "pleural", "effusion", "clear", ".", ",")
    return " ".join(random.Random(1).choices(words, k=count))


@pytest.fixture(scope="module")
def interpreter() -> Path:
    return Path(os.environ[VARIABLE])


@pytest.fixture(scope="module", params=["radgraph-xl", "radgraph"])
def tiny(
    interpreter: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> tuple[Path, str]:
    """Weights for the real package, and the model's name."""
    folder = tmp_path_factory.mktemp("tiny") / "weights"
    script = Path(__file__).with_name("tiny_radgraph.py")
    command = [interpreter, "-W", "ignore", script, folder, "--model", request.param]
    subprocess.run(command, check=True, env={**os.environ, "HF_HUB_OFFLINE": "1"})
    return folder, request.param


@real
def test_the_real_package_gives_graphs_that_fit_their_text(
    interpreter: Path,
    tiny: tuple[Path, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log = tmp_path / "network.log"
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "def note(event, values):\n"
        "    if event in ('socket.getaddrinfo', 'socket.connect'):\n"
        f"        open({str(log)!r}, 'a').write(f'{{event}} {{values}}\\n')\n"
        "sys.addaudithook(note)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    texts = [*REPORTS, long_report(3000)]
    with RadGraphModel(interpreter, *tiny, threads=1) as model:
        assert model.version[0].isdigit()
        graphs = [graph(found) for found in model.graphs(texts)]
        assert model.graph("") == "empty report"
        again = [graph(found) for found in model.graphs(REPORTS)]
    assert graphs[: len(REPORTS)] == again
    for found in graphs:
        assert from_json(to_json(found), "again") == found
        assert {entity.label for entity in found.entities} <= set(ENTITY_LABELS)
        assert {relation.type for relation in found.relations} <= set(RELATION_TYPES)
    assert len({entity.label for entity in graphs[-1].entities}) > 2
    assert len(graphs[-1].entities) > 100
    assert graphs[-1].relations
    assert len(graphs[-1].text.split(" ")) == 3000
    assert not log.exists(), log.read_text()


@real
def test_the_real_package_is_started_again_after_a_kill(
    interpreter: Path, tiny: tuple[Path, str]
) -> None:
    with RadGraphModel(interpreter, *tiny, threads=1) as model:
        before = graph(model.graph(REPORTS[0]))
        os.kill(pids(model), signal.SIGKILL)
        assert model.graph(REPORTS[0]) == before


@real
def test_graphs_of_the_real_package_and_of_the_rules_share_their_characters(
    interpreter: Path, tiny: tuple[Path, str]
) -> None:
    reports = [ReportText(str(at), text) for at, text in enumerate([*REPORTS, long_report(60)])]
    (ours,) = Rules().entries([reports])
    with RadGraphModel(interpreter, *tiny, threads=1) as model:
        theirs = [entry for (entry,) in FromRadGraph(model).entries([reports])]
    score = compare(
        {entry.id: entry.graph() for entry in ours}, {entry.id: entry.graph() for entry in theirs}
    ).entities
    assert score.reference == sum(entry.entities for entry in ours)
    assert score.found == sum(entry.entities for entry in theirs)


@real
def test_code_in_the_weights_is_not_run(
    interpreter: Path, tiny: tuple[Path, str], tmp_path: Path
) -> None:
    folder, name = tiny
    copy = tmp_path / "weights"
    copy.mkdir()
    for part in folder.iterdir():
        if part.name != name:
            (copy / part.name).symlink_to(part)
    (copy / name).mkdir()
    for part in ("config.json", "vocabulary"):
        (copy / name / part).symlink_to(folder / name / part)
    mark = tmp_path / "mark"
    (copy / name / "weights.th").write_bytes(
        b"cos\nsystem\n(S'touch " + str(mark).encode() + b"'\ntR."
    )
    with pytest.raises(GraphError, match="UnpicklingError"):
        RadGraphModel(interpreter, copy, name)
    assert not mark.exists()


@real
def test_without_its_language_model_the_real_package_names_what_to_add(
    interpreter: Path, tiny: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, name = tiny
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / name).symlink_to(folder / name)
    with pytest.raises(GraphError, match=r"tokenizer's files of 'tiny/random-bert', which"):
        RadGraphModel(interpreter, tmp_path / "weights", name)
