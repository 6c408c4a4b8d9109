"""Writes the three lock files from pyproject.toml.

    python scripts/lock.py --cpu-wheel TORCH_CPU_WHEEL [...]

All are hash-locked and hold no index address. ``requirements.lock`` is what every machine needs.
``requirements-cuda.lock`` is what a CUDA build of torch needs beside it, and
``requirements-cpu.lock`` the CPU build of the same torch, which the Makefile takes where the
configured package sources offer it. Needs ``uv`` on the path.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TORCH = "2.13.0"
CUDA_PREFIXES = ("cuda-", "nvidia-", "triton")
HEAD = "# Written by scripts/lock.py; edit pyproject.toml and run it again.\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cpu-wheel", type=Path, nargs="+", required=True)
    plain: list[str] = []
    cuda: list[str] = []
    for entry in entries(compiled()):
        (cuda if entry.startswith(CUDA_PREFIXES) else plain).append(entry)
    write("requirements.lock", plain)
    write("requirements-cuda.lock", cuda)
    write("requirements-cpu.lock", [cpu_entry(parser.parse_args().cpu_wheel)])


def write(name: str, found: list[str]) -> None:
    (ROOT / name).write_text(HEAD + "".join(found))


def compiled() -> str:
    """Every dependency with its version, markers and hashes."""
    command = ["uv", "pip", "compile", "pyproject.toml", "--extra", "dev", "--universal"]
    command += ["--python-version", "3.11", "--generate-hashes", "--constraints", "-", "--quiet"]
    command += ["--no-emit-index-url", "--no-emit-find-links", "--no-header", "--no-annotate"]
    done = subprocess.run(
        command, cwd=ROOT, input=f"torch=={TORCH}\n", text=True, capture_output=True, check=True
    )
    return done.stdout


def entries(text: str) -> list[str]:
    """One text a requirement, its hashes on the lines that follow it."""
    found: list[str] = []
    for line in text.splitlines(keepends=True):
        if line.startswith(" "):
            found[-1] += line
        else:
            found.append(line)
    return found


def cpu_entry(wheels: list[Path]) -> str:
    """The CPU build of torch, by the hashes of its wheels."""
    digests = sorted(hashlib.sha256(wheel.read_bytes()).hexdigest() for wheel in wheels)
    parts = [f"torch=={TORCH}+cpu", *(f"--hash=sha256:{digest}" for digest in digests)]
    return " \\\n    ".join(parts) + "\n"


if __name__ == "__main__":
    main()
