"""Runs ``on_pretended_gpu.py``, which shows without a GPU what would go wrong on one.

Torch's processor build has a place for what a GPU would bring along, which must be filled before
torch is there; so these tests have a process of their own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

TESTS = Path(__file__).parent
START = """
import ctypes, sys
ctypes.CDLL(sys.argv[1], mode=ctypes.RTLD_GLOBAL)
import pytest
sys.exit(pytest.main(sys.argv[2:]))
"""


@pytest.mark.skipif(torch.version.cuda is not None, reason="needs a processor build of torch")
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
def test_all_goes_well_on_a_pretended_gpu(tmp_path: Path) -> None:
    torch_folder, library = Path(torch.__file__).parent, tmp_path / "gpu.so"
    build = [
        "g++", "-std=c++20", "-shared", "-fPIC", f"-I{torch_folder / 'include'}",
        str(TESTS / "pretended_gpu.cpp"), f"-L{torch_folder / 'lib'}", "-lc10", "-ltorch_cpu",
        f"-Wl,-rpath,{torch_folder / 'lib'}", "-o", str(library),
    ]  # fmt: skip
    subprocess.run(build, check=True)
    inner = [str(TESTS / "on_pretended_gpu.py"), "-q", "-p", "no:cacheprovider", "--tb=short"]
    done = subprocess.run(
        [sys.executable, "-c", START, str(library), *inner],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTEST_ADDOPTS": ""},
        cwd=TESTS.parent,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
