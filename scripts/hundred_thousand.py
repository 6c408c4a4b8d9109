"""Ingests a large fake MIMIC-CXR twice: unbroken, and killed many times on the way.

    python scripts/hundred_thousand.py --folder FOLDER [--studies 100000] [--kills 10]

The fake release is made once in FOLDER (about two small JPEG files a study). Both runs are the
command ``radpair ingest mimic-cxr`` with two processes; the second is killed by SIGKILL at
moments spread over the work and given again each time. Prints times, the largest memory of any
process, and whether both sets have the same files, byte for byte; exits 1 where they have not or
a process needed 2 GB.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1] / "tests"
MOST_BYTES = 2_000_000_000
PART = 256
LOOK = 0.1
"""Seconds between two looks at a run."""


def main() -> int:
    options = _options()
    root, whole, broken = (options.folder / name for name in ("mimic", "whole", "broken"))
    for out in (whole, broken):
        shutil.rmtree(out, ignore_errors=True)
    begun = time.monotonic()
    if not (root / "mimic-cxr-2.0.0-metadata.csv.gz").is_file():
        make_release(root, options.studies)
        print(f"fake release of {options.studies:,} studies: {time.monotonic() - begun:.0f} s")
    watch = Watch()
    begun = time.monotonic()
    run(root, whole, options.processes, watch)
    print(f"unbroken: {time.monotonic() - begun:.0f} s")
    begun = time.monotonic()
    kills = killed_and_continued(
        root, broken, options.processes, options.kills, parts_of(options.studies), watch
    )
    print(f"killed {kills} times and continued: {time.monotonic() - begun:.0f} s")
    same = contents(whole) == contents(broken)
    print(f"largest memory of one process: {watch.peak / 1e6:,.0f} MB")
    print("the same files, byte for byte" if same else "THE FILES DIFFER")
    print(json.loads((whole / "manifest.json").read_text())["counts"])
    return 0 if same and kills == options.kills and watch.peak < MOST_BYTES else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--studies", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--processes", type=int, default=2)
    return parser.parse_args()


def make_release(root: Path, studies: int) -> None:
    """Patients have one, two and three studies in turn, so two on average."""
    sys.path.insert(0, str(TESTS))
    from sources.fakes.mimic_cxr import make

    make(root, reports="zip", patients=studies // 2)


def parts_of(studies: int) -> int:
    """How many parts a set of so many studies has."""
    return -(-studies // PART)


class Watch:
    """The largest resident memory of a process or one of its children, as the system counts it."""

    def __init__(self) -> None:
        self.peak = 0

    def look(self, parent: int) -> None:
        for process in (parent, *_children(parent)):
            status = Path(f"/proc/{process}/status")
            try:
                self.peak = max(self.peak, _high_water(status.read_text()))
            except (ProcessLookupError, FileNotFoundError):
                continue


def _children(parent: int) -> list[int]:
    try:
        return [int(c) for c in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]
    except (ProcessLookupError, FileNotFoundError):
        return []


def _high_water(status: str) -> int:
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def run(
    root: Path,
    out: Path,
    processes: int,
    watch: Watch,
    stop: Callable[[], bool] = lambda: False,
) -> bool:
    """Runs the command until it ends or ``stop`` says so; whether it was killed."""
    command = [sys.executable, "-m", "radpair", "ingest", "mimic-cxr", str(root)]
    command += ["--out", str(out), "--size", "32", "--processes", str(processes)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        command, start_new_session=True, env=environment, stdout=subprocess.DEVNULL
    )
    killed = False
    while process.poll() is None:
        watch.look(process.pid)
        if stop():
            process.kill()
            killed = True
            break
        time.sleep(LOOK)
    code = process.wait()
    _wait_until_gone(process.pid)
    if not killed and code:
        raise SystemExit(f"{' '.join(command)}: exit code {code}")
    return killed and code < 0


def _wait_until_gone(group: int) -> None:
    """Workers end with their parent, on their own."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.01)
    raise SystemExit("workers outlived their parent")


def killed_and_continued(
    root: Path, out: Path, processes: int, kills: int, parts: int, watch: Watch
) -> int:
    """Kills at ``kills`` numbers of finished parts, a random moment later; how many there were."""
    chance = random.Random(0)
    done = 0
    for kill in range(kills):
        goal = max(1, parts * (kill + 1) // (kills + 1))

        def stop(goal: int = goal) -> bool:
            if finished_parts(out) < goal:
                return False
            time.sleep(chance.random() * 0.05)
            return True

        done += run(root, out, processes, watch, stop)
    run(root, out, processes, watch)
    return done


def finished_parts(out: Path) -> int:
    """The parts whose records stand."""
    return sum(1 for _ in (out / ".parts").glob("[0-9]*.json"))


def contents(out: Path) -> dict[str, str]:
    """The sha256 of every file, by its path below the set."""
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob("*"))
        if path.is_file()
    }


if __name__ == "__main__":
    raise SystemExit(main())
