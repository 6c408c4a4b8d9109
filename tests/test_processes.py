"""Work spread over processes keeps its order, its errors, and never waits for the dead."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from radpair.errors import WorkerError
from radpair.processes import in_order


def test_results_come_in_the_order_of_the_jobs() -> None:
    assert list(in_order(math.sqrt, map(float, range(20)), 3)) == [i**0.5 for i in range(20)]
    assert list(in_order(math.sqrt, [], 2)) == []


def test_jobs_are_taken_as_they_are_needed() -> None:
    taken = []
    jobs = (float(taken.append(i) or i) for i in range(100))
    results = in_order(math.sqrt, jobs, 2)
    assert next(results) == 0
    assert len(taken) <= 4
    results.close()
    assert len(taken) <= 4


def test_an_error_of_the_work_is_raised_here() -> None:
    results = in_order(math.sqrt, [4.0, -1.0], 2)
    assert next(results) == 2
    with pytest.raises(ValueError, match=r"math domain|nonnegative"):
        next(results)


def test_a_worker_that_dies_is_an_error() -> None:
    with pytest.raises(WorkerError, match="ended with exit code 3"):
        list(in_order(os._exit, [3, 3, 3], 1))


def test_a_script_without_a_guard_is_told_so(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from radpair.graphs import extract_many\n"
        "print(len(list(extract_many(['No effusion.'] * 600, 2))))\n"
    )
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 1
    assert "WorkerError" in done.stderr.splitlines()[-1]
    assert "__name__ == '__main__'" in done.stderr


STOPPED = """
import os, signal, sys, time, types
def strike(*_):
    os.kill(os.getpid(), int(sys.argv[1]))
    time.sleep(60)
def run_demo(*_):
    if sys.argv[2:]:
        sys.path.insert(0, sys.argv[2])
        import swallows
    strike()
sys.strike = strike
sys.modules["radpair.demo"] = types.SimpleNamespace(run_demo=run_demo)
from radpair.cli import main
main(["demo"])
"""


@pytest.mark.parametrize("imports", [False, True])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_command_that_is_stopped_says_that_it_continues(
    number: signal.Signals, imports: bool, tmp_path: Path
) -> None:
    """Also where a module would catch what is raised while it is imported."""
    swallows = "import sys\ntry:\n    sys.strike()\nexcept BaseException:\n    pass\n"
    (tmp_path / "swallows.py").write_text(swallows)
    done = subprocess.run(
        [sys.executable, "-c", STOPPED, str(int(number)), *([str(tmp_path)] if imports else [])],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (
        128 + number,
        "radpair: stopped; the same command again continues\n",
    )


WAITS = """
import hashlib, os, sys, threading, signal
from radpair.processes import interruptible
for after in map(float, sys.argv[2:]):
    threading.Timer(after, os.kill, (os.getpid(), signal.SIGINT)).start()
with interruptible():
    if sys.argv[1] == "there":
        hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)
    else:
        threading.Event().wait(60)
"""


@pytest.mark.parametrize(("place", "when"), [("there", "0.5"), ("there", "0.5 1"), ("here", "0.5")])
def test_an_interrupt_ends_a_wait_that_python_does_not_see(place: str, when: str) -> None:
    """Half an hour of arithmetic outside Python; within it, the interrupt is raised as ever."""
    done = subprocess.run(
        [sys.executable, "-c", WAITS, place, *when.split()],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if place == "there":
        assert (done.returncode, done.stderr) == (
            130,
            "radpair: stopped; the same command again continues\n",
        )
    else:
        assert "KeyboardInterrupt" in done.stderr
