"""The folder of a run: what it rests on, and what stays in it."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

import pytest

from radpair.errors import RunError
from radpair.pretraining import pretrain
from radpair.pretraining.recipe import load_recipe
from radpair.pretraining.run import asked_for, claim, record, refuse_other
from radpair.studyset import StudySet


def test_defect_image_weights_changed_unnoticed(
    disc_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The words that name no file name none either where a file is called so."""
    monkeypatch.chdir(tmp_path)
    studies, file = StudySet.open(disc_set), Path("resnet.safetensors")
    for path in (file, Path("none"), Path("pretrained")):
        path.write_bytes(b"weights")

    def asked(weights: str) -> dict[str, object]:
        recipe = load_recipe("convirt-small", [f"image.weights={weights}"])
        return asked_for("convirt-small", recipe, studies)

    record(tmp_path, asked(file.name))
    refuse_other(tmp_path, asked(file.name))
    words = {word: asked(word) for word in ("none", "pretrained")}
    for path in (file, Path("none"), Path("pretrained")):
        path.write_bytes(b"others")
    with pytest.raises(RunError, match=r"another configuration \(data\.image_weights: "):
        refuse_other(tmp_path, asked(file.name))
    assert words == {word: asked(word) for word in words}


@pytest.mark.parametrize("made", ["checkpoints", "model"])
def test_defect_checkpoints_without_a_record_went_on_under_any_settings(
    disc_set: Path, tmp_path: Path, made: str
) -> None:
    asked = asked_for("igc-small", load_recipe("igc-small"), StudySet.open(disc_set))
    (tmp_path / made).mkdir()
    refuse_other(tmp_path, asked)  # a kill may leave the folder empty
    (tmp_path / made / "step-00000007.json").write_text("{}")
    with pytest.raises(RunError, match=rf"{made} and no run\.json, so nobody can say what"):
        refuse_other(tmp_path, asked)
    record(tmp_path, asked)
    refuse_other(tmp_path, asked)


def test_defect_graphs_that_are_gone_were_called_another_configuration(
    disc_set: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(disc_set, tmp_path / "set")
    recipe = load_recipe("igc-small")
    record(tmp_path, asked_for("igc-small", recipe, StudySet.open(folder)))
    for path in folder.glob("graphs*"):
        path.unlink()
    with pytest.raises(RunError, match=f"has no graphs, .*; run: radpair graphs {folder}$"):
        refuse_other(tmp_path, asked_for("igc-small", recipe, StudySet.open(folder)))


def test_a_refused_run_leaves_no_folder_that_it_made(tmp_path: Path) -> None:
    def refused(folder: Path, begun: bool) -> None:
        with claim(folder):
            (folder / "cache").mkdir(exist_ok=True)
            if begun:
                record(folder, {})
            raise RunError("no")

    kept = tmp_path / "kept"
    kept.mkdir()
    for folder, begun in ((tmp_path / "new/run", False), (kept, False), (tmp_path / "run", True)):
        with pytest.raises(RunError, match="no"):
            refused(folder, begun)
    assert not (tmp_path / "new/run").exists()
    assert kept.is_dir()
    assert (tmp_path / "run/run.json").exists()


def test_words_of_reports_do_not_stay_in_a_finished_run(
    disc_set: Path,
    tiny: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Where they could not be removed, that is said, and the same command removes them."""
    options, mapped = (*tiny, "training.epochs=1"), []
    cache = tmp_path / "run" / "cache"

    def failing(path: Path) -> None:
        mapped.append(str(path) in Path("/proc/self/maps").read_text())
        raise OSError(errno.ENOTEMPTY, "Directory not empty")

    def again() -> None:
        pretrain("igc-small", disc_set, tmp_path / "run", options, "cpu")

    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", failing)
        for _ in range(2):
            with pytest.raises(RunError, match=r"cache: holds words .* \(Directory not empty\)"):
                again()
    assert mapped == [False, False]
    assert list(cache.iterdir())
    again()
    assert not cache.exists()
    assert capsys.readouterr().err.count("finished already") == 1
