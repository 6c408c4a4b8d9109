"""The benchmark of sameness, on few studies: it sees what is alike, and a run that starts over."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import ModuleType

import pytest

from by_path import benchmark

STUDIES, EPOCHS = 100, 4


@pytest.fixture(scope="module")
def exactness() -> ModuleType:
    return benchmark("exactness")


@pytest.fixture(scope="module")
def folder(exactness: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("exactness")
    exactness.study_set(path / "set", STUDIES)
    (path / "dying.py").write_text(exactness.DYING)
    return path


def test_shards_have_the_gradient_of_the_whole(exactness: ModuleType, folder: Path) -> None:
    assert 0 < exactness.gradients_apart(folder, "infonce", 4) <= exactness.GRADIENT


STARTS_OVER = """
from radpair.pretraining import loop
loop.newest_checkpoint = lambda _: None
"""


@pytest.mark.slow
def test_a_killed_run_goes_on_and_one_that_starts_over_is_seen(
    exactness: ModuleType, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = exactness.Runs(folder, EPOCHS, "1e-5")
    assert exactness.killed(runs, "two", ["step-00000006.pt 50", "6"], 1, 2)
    assert "| two | 1 | 2 | 1 | yes |" in capsys.readouterr().out
    steps = len(exactness.curve(runs.whole(1), "train"))
    assert steps == exactness.reached(runs.whole(1)) == 8
    shutil.copytree(runs.whole(1) / "checkpoints", folder / "over" / "checkpoints")
    shutil.copy(runs.whole(1) / "run.json", folder / "over")
    (folder / "dying.py").write_text(STARTS_OVER + exactness.DYING)
    with pytest.raises(SystemExit, match="did not go on after step 8"):
        runs.broken("over", ["6"])
