"""Writes requirements.lock and requirements-cuda.lock from pyproject.toml.

    python scripts/lock.py [--cpu-wheel TORCH_CPU_WHEEL ...]

Both are hash-locked and hold no index address. The second has what a CUDA build of torch needs and
a CPU build does not; the Makefile installs it only where it is needed. A CPU build of torch has the
version of the CUDA build but other hashes: name its wheels so that the lock accepts them too.
Needs ``uv`` on the path.
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
    parser.add_argument("--cpu-wheel", type=Path, nargs="*", default=[])
    wheels = parser.parse_args().cpu_wheel
    plain, cuda = [], []
    for entry in entries(compiled()):
        (cuda if entry.startswith(CUDA_PREFIXES) else plain).append(with_wheels(entry, wheels))
    (ROOT / "requirements.lock").write_text(HEAD + "".join(plain))
    (ROOT / "requirements-cuda.lock").write_text(HEAD + "".join(cuda))


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


def with_wheels(entry: str, wheels: list[Path]) -> str:
    """The entry of torch, accepting these wheels as well."""
    if not entry.startswith(f"torch=={TORCH} "):
        return entry
    digests = [hashlib.sha256(wheel.read_bytes()).hexdigest() for wheel in wheels]
    extra = "".join(f" \\\n    --hash=sha256:{digest}" for digest in digests if digest not in entry)
    return entry.rstrip("\n") + extra + "\n"


if __name__ == "__main__":
    main()
