"""Whoever starts the processes of a run: they end with its weights, or all in a sentence."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from discs import TINY
from radpair.errors import RunError, StudySetError
from radpair.pretraining import load_recipe, pretrain
from radpair.pretraining.checkpoint import save_checkpoint
from radpair.pretraining.ranks import check_processes, leave_fabric_run
from radpair.pretraining.run import asked_for, claim, record
from radpair.pretraining.stopping import NOTED
from radpair.studyset import StudySet
from runs import gone_on

OPTIONS = (
    *TINY, "training.epochs=1", "training.shards=2", "training.learning_rate=1e-4",
    "training.freeze_image=2", "training.checkpoint=1", "training.precision=32-true",
)  # fmt: skip
"""Four steps, of which the image tower learns in two."""
ALIKE = {"rtol": 1e-4, "atol": 1e-5}
"""Weights from sums in another order."""
FABRIC = ["-m", "lightning_fabric.cli", "--accelerator=cpu", "--devices=2"]
"""``fabric run``: that command imports torchvision, of which a CPU's torch may have the wrong."""
TORCHRUN = ["-m", "torch.distributed.run"]
SCRIPT = str(Path(__file__).parents[2] / "src" / "radpair" / "__main__.py")


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def words(disc_set: Path, run: Path) -> list[str]:
    return [
        "pretrain", "igc-small", "--data", str(disc_set), "--out", str(run), "--device", "cpu",
        "--set", *OPTIONS,
    ]  # fmt: skip


def words_of_two(disc_set: Path, run: Path) -> list[str]:
    before, after = words(disc_set, run), len(OPTIONS) + 1
    return [*before[:-after], "--devices=2", *before[-after:]]


def ended(asked: list[list[str]], **variables: list[str]) -> list[tuple[int, str]]:
    """Exit codes and errors of commands that run at once, each with its value of ``variables``."""
    started = [
        subprocess.Popen(
            [sys.executable, *one],
            env={
                **os.environ,
                "OMP_NUM_THREADS": "1",
                **{name: values[place] for name, values in variables.items()},
            },
            stderr=subprocess.PIPE,
            text=True,
        )
        for place, one in enumerate(asked)
    ]
    try:
        said = [process.communicate(timeout=300)[1] for process in started]
    finally:
        for process in started:
            process.kill()
    return [(process.returncode, text) for process, text in zip(started, said, strict=True)]


@pytest.fixture(scope="module")
def alone(disc_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model of one process."""
    return pretrain("igc-small", disc_set, tmp_path_factory.mktemp("alone") / "run", OPTIONS, "cpu")


def same_weights(found: Path, expected: Path) -> None:
    before, after = (load_file(path / "model.safetensors") for path in (expected, found))
    assert before.keys() == after.keys()
    for key, value in before.items():
        torch.testing.assert_close(after[key], value, **ALIKE)


def test_fabric_run(disc_set: Path, alone: Path, tmp_path: Path) -> None:
    asked = [
        *FABRIC, f"--main-port={free_port()}", "--strategy=ddp", "--precision=32", "--", SCRIPT,
        *words(disc_set, tmp_path),
    ]  # fmt: skip
    [(code, said)] = ended([asked])
    assert code == 0, said
    same_weights(tmp_path / "model", alone)


def test_two_nodes_of_torchrun(disc_set: Path, alone: Path, tmp_path: Path) -> None:
    port = free_port()
    asked = [
        [
            *TORCHRUN, "--nnodes=2", f"--node-rank={rank}", "--nproc-per-node=1",
            "--master-addr=127.0.0.1", f"--master-port={port}", SCRIPT, *words(disc_set, tmp_path),
        ]
        for rank in (0, 1)
    ]  # fmt: skip
    for code, said in ended(asked):
        assert code == 0, said
        assert "find_unused_parameters" not in said
    same_weights(tmp_path / "model", alone)


def tasks_of_slurm(asked: list[list[str]], **more: list[str]) -> list[tuple[int, str]]:
    """The first or both of two, with the variables as ``srun`` sets them on a machine."""
    return ended(
        asked,
        **more,
        SLURM_JOB_NAME=["radpair"] * 2,
        SLURM_JOB_ID=[str(free_port())] * 2,
        SLURM_NTASKS=["2"] * 2,
        SLURM_NTASKS_PER_NODE=["2"] * 2,
        SLURM_NODELIST=["127.0.0.1"] * 2,
        SLURM_NODEID=["0", "0"],
        SLURM_PROCID=["0", "1"],
        SLURM_LOCALID=["0", "1"],
    )


def test_two_tasks_of_slurm(disc_set: Path, alone: Path, tmp_path: Path) -> None:
    for code, said in tasks_of_slurm([["-m", "radpair", *words_of_two(disc_set, tmp_path)]] * 2):
        assert code == 0, said
    same_weights(tmp_path / "model", alone)


def test_a_port_that_is_taken_is_named(disc_set: Path, tmp_path: Path) -> None:
    """Two jobs on a machine may have been given the same."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        asked = ["-m", "radpair", *words_of_two(disc_set, tmp_path)]
        [(code, said)] = tasks_of_slurm([asked], MASTER_PORT=[port])
    assert code == 2
    assert f":{port}, where the processes of the run are to meet, is taken" in said
    assert "Traceback" not in said


def test_another_command_on_one_of_them_is_refused(disc_set: Path, tmp_path: Path) -> None:
    """With other numbers of steps one would wait for the other's next."""
    asked = ["-m", "radpair", *words_of_two(disc_set, tmp_path)]
    first, other = tasks_of_slurm([asked, [*asked, "training.epochs=2"]])
    assert (first[0], other[0]) == (2, 2)
    assert "process 1 has settings and data of the hash" in other[1]
    assert "another process of the run has ended" in first[1]
    assert "Traceback" not in first[1] + other[1]


def test_a_machine_that_does_not_see_the_checkpoints_is_refused(
    disc_set: Path, tmp_path: Path
) -> None:
    """One begins anew while the other goes on, where --out is not shared by their machines."""
    asked = [["-m", "radpair", *words_of_two(disc_set, tmp_path / name)] for name in ("a", "b")]
    save_checkpoint(tmp_path / "b" / "checkpoints", 2, {"step": 2})
    first, other = tasks_of_slurm(asked)
    assert (first[0], other[0]) == (2, 2)
    assert "process 1 has the checkpoint of step 2, the first has 0" in other[1]
    assert "let all see the same files" in other[1]
    assert "Traceback" not in first[1] + other[1]


DYING = """
import os, signal
from radpair.pretraining import loop
real = loop.take_step
def dying(trainer, *words):
    again = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") != "0"
    if trainer.step == 1 and trainer.ranks.rank == 1 and not again:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(trainer, *words)
loop.take_step = dying
from radpair.cli import main
main()
"""


def test_a_process_that_dies_ends_all_and_the_same_command_goes_on(
    disc_set: Path, alone: Path, tmp_path: Path
) -> None:
    """The image tower is frozen when it dies, and thaws in the processes that go on."""
    script, run = tmp_path / "dying.py", tmp_path / "run"
    script.write_text(DYING)
    [(code, said)] = ended([[str(script), *words(disc_set, run), "--devices=2"]])
    assert (code, "Traceback" in said) == (1, False)
    assert said.count("process 1 of the run was killed by signal 9") == 1
    assert [path.name for path in (run / "checkpoints").glob("*.pt")] == ["step-00000001.pt"]
    [(code, said)] = ended([["-m", "radpair", *words(disc_set, run), "--devices=2"]])
    assert code == 0, said
    assert gone_on(said) == [1]
    same_weights(run / "model", alone)


def test_torchrun_starts_all_again_where_one_dies(
    disc_set: Path, alone: Path, tmp_path: Path
) -> None:
    script, run = tmp_path / "dying.py", tmp_path / "run"
    script.write_text(DYING)
    asked = [*TORCHRUN, "--standalone", "--nproc-per-node=2", "--max-restarts=1", str(script)]
    own_store = {"TORCH_DISABLE_SHARE_RDZV_TCP_STORE": ["1"]}
    [(code, said)] = ended([[*asked, *words(disc_set, run)]], **own_store)
    assert code == 0, said
    assert gone_on(said) == [1]
    same_weights(run / "model", alone)


ABORTING = """
import atexit, os
atexit.register(os.abort)
from radpair.cli import main
main()
"""


def test_processes_part_before_the_interpreter_ends_beneath_the_threads_of_torch(
    disc_set: Path, alone: Path, tmp_path: Path
) -> None:
    """They abort then, now and again, a run whose model is written."""
    script, run = tmp_path / "aborting.py", tmp_path / "run"
    script.write_text(ABORTING)
    [(code, said)] = ended([[str(script), *words_of_two(disc_set, run)]])
    assert code == 0, said
    same_weights(run / "model", alone)


TAKEN = """
import socket
import lightning.fabric.plugins.environments.lightning as environment
taken = socket.create_server(("127.0.0.1", 0))
environment.find_free_network_port = lambda: taken.getsockname()[1]
from radpair.cli import main
main()
"""


def test_processes_meet_where_nobody_else_can(disc_set: Path, alone: Path, tmp_path: Path) -> None:
    """A port that was free a moment ago may be another's."""
    script, run = tmp_path / "taken.py", tmp_path / "run"
    script.write_text(f"from radpair.compat import mend_torchvision\nmend_torchvision()\n{TAKEN}")
    [(code, said)] = ended([[str(script), *words_of_two(disc_set, run)]])
    assert code == 0, said
    same_weights(run / "model", alone)


ROTTEN = """
import os, sys, torch
from radpair.errors import StudySetError
from radpair.pretraining import loop
real = loop.take_step
def failing(trainer, *words):
    if trainer.step == 1 and trainer.ranks.rank == int(os.environ["FAILS"]):
        torch.distributed.all_reduce(torch.zeros(1_000_000), async_op=True)
        raise StudySetError("rotten")
    return real(trainer, *words)
loop.take_step = failing
from radpair.cli import main
main()
"""


@pytest.mark.parametrize(("fails", "said"), [("0", "rotten"), ("1", "process 1: rotten")])
def test_a_process_that_owes_the_others_a_message_ends_all_with_its_sentence(
    fails: str, said: str, disc_set: Path, tmp_path: Path
) -> None:
    """As it does where it fails on the way back through its towers: torch would wait for ever."""
    script = tmp_path / "rotten.py"
    script.write_text(ROTTEN)
    words = [str(script), *words_of_two(disc_set, tmp_path / "run")]
    [(code, told)] = ended([words], FAILS=[fails])
    assert (code, told.count(f"radpair: {said}"), "Traceback" in told) == (2, 1, False)
    assert told.count("radpair:") == 1


@pytest.mark.parametrize("to_all", [True, False])
def test_an_interrupt_is_spoken_of_once_and_leaves_nobody(
    to_all: bool, disc_set: Path, tmp_path: Path
) -> None:
    """The pipe of what they say is closed when the last of them has ended."""
    words = [sys.executable, "-m", "radpair", *words_of_two(disc_set, tmp_path / "run")]
    process = subprocess.Popen(
        [*words, "training.epochs=500"],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        first = tmp_path / "run" / "checkpoints" / "step-00000001.json"
        while not first.exists() and process.poll() is None:
            time.sleep(0.01)
        (os.killpg if to_all else os.kill)(process.pid, signal.SIGINT)
        said = process.communicate(timeout=60)[1]
    finally:
        process.kill()
    assert process.returncode == 130, said
    assert said == f"{NOTED.decode()}radpair: stopped; the same command again continues\n"


def test_what_needs_no_other_process_is_refused_before_one_is_started(
    disc_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def started(*_: object) -> None:
        raise AssertionError("processes were started")

    monkeypatch.setattr("radpair.pretraining.loop.start_processes", started)
    run, four = tmp_path / "run", (*TINY, "training.shards=4", "training.precision=32-true")

    def asked(options: tuple[str, ...], devices: int = 2, data: Path = disc_set) -> None:
        pretrain("igc-small", data, run, options, "cpu", devices)

    with pytest.raises(RunError, match="5 processes for a run of 4 shards"):
        asked(four, devices=5)
    with pytest.raises(StudySetError, match="none"):
        asked(four, data=tmp_path / "none")
    assert not run.exists()
    recipe, studies = load_recipe("igc-small", four), StudySet.open(disc_set)
    with claim(run):
        record(run, asked_for("igc-small", recipe, studies))
        with pytest.raises(RunError, match="another pretrain is writing here"):
            asked(four)
    with pytest.raises(RunError, match="5 processes for a run of 4 shards"):
        asked(four[:-2], devices=5)
    with pytest.raises(RunError, match="another configuration"):
        asked((*four, "training.learning_rate=0.5"))


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("LT_ACCELERATOR", "gpu", "--accelerator gpu, and radpair's --device is cpu"),
        ("LT_STRATEGY", "fsdp", "--strategy fsdp, and radpair's --strategy is ddp"),
        ("LT_STRATEGY", "deepspeed", "--strategy deepspeed, and radpair's --strategy is ddp"),
        ("LT_PRECISION", "bf16", "--precision bf16, and radpair's training.precision is 32-true"),
        ("LT_DEVICES", "0,2", "--devices 0,2 names devices"),
    ],
)
def test_what_fabric_run_was_told_otherwise_is_refused(
    variable: str, value: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {"LT_ACCELERATOR": "cpu", "LT_STRATEGY": "ddp", "LT_PRECISION": "32", "LT_DEVICES": "2"}
    for name, agreed in {**told, "LT_CLI_USED": "1", "LT_NUM_NODES": "1"}.items():
        monkeypatch.setenv(name, agreed)
    leave_fabric_run("cpu", "ddp", "32-true")
    assert not [name for name in os.environ if name.startswith("LT_")]
    monkeypatch.setenv(variable, value)
    with pytest.raises(RunError, match=message):
        leave_fabric_run("cpu", "ddp", "32-true")


@pytest.mark.parametrize(
    ("devices", "nodes", "world", "message"),
    [
        (4, 1, 6, "--devices 4 beside a launcher that started 3; leave --devices out"),
        (1, 4, 6, "--nodes 4 beside a launcher that started 2; leave --nodes out"),
        (1, 1, 5, "3 of 5 processes on this machine; start equally many"),
    ],
)
def test_another_number_than_the_launcher_started_is_refused(
    devices: int, nodes: int, world: int, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "3")
    monkeypatch.setenv("GROUP_WORLD_SIZE", "2")
    monkeypatch.setenv("WORLD_SIZE", "6")
    check_processes(1, 1)
    check_processes(3, 2)
    monkeypatch.setenv("WORLD_SIZE", str(world))
    with pytest.raises(RunError, match=message):
        check_processes(devices, nodes)
