"""Weights cut among processes (--strategy fsdp): the run is that of one process."""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from discs import TINY
from radpair.encoders.graph import ContextNodes
from radpair.encoders.text import TextEncoder
from radpair.errors import RunError
from radpair.models.pair import PairModel
from radpair.pretraining import load_recipe, pretrain
from radpair.pretraining.pairs import prepare_pairs, run_tokenizer
from radpair.pretraining.run import read_metrics
from radpair.pretraining.sharded import scalars, units
from radpair.pretraining.trainer import Parcel, Towers
from radpair.studyset import StudySet
from runs import ended_well, gone_on, same_run

OPTIONS = (
    *TINY, "training.epochs=3", "training.shards=4", "training.schedule=plateau",
    "training.keep=best", "training.learning_rate=2e-5", "training.freeze_image=5",
    "training.clip=1", "partner=both", "objective.kind=sigmoid", "objective.learn_temperature=true",
    "training.precision=32-true", "training.log=1",
    "evaluators=[{name: knn, every: 3}, {name: retrieval, every: 2}]",
)  # fmt: skip
"""Scalars that are learned, a tower that is frozen at first, batch normalisation, two shards a
process, and evaluators that need the whole model."""


@pytest.fixture(scope="module")
def alone(disc_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of one process."""
    run = tmp_path_factory.mktemp("alone") / "run"
    pretrain("igc-small", disc_set, run, OPTIONS, "cpu")
    assert any({"knn", "retrieval"} <= {*line} for line in read_metrics(run / "metrics.jsonl"))
    return run


def back_to_step_nine(run: Path) -> None:
    """As if the run had been killed in its last epoch."""
    shutil.rmtree(run / "model")
    for path in (run / "checkpoints").glob("step-00000012.*"):
        path.unlink()
    assert [path.name for path in (run / "checkpoints").glob("*.pt")] == ["step-00000009.pt"]


def test_two_processes_that_share_the_weights_train_as_one(
    disc_set: Path, alone: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Then the end of the run once more, by one process that has them all."""
    words = [
        sys.executable, "-m", "radpair", "pretrain", "igc-small", "--data", str(disc_set),
        "--out", str(tmp_path), "--device", "cpu", "--devices", "2", "--strategy", "fsdp",
        "--set", *OPTIONS,
    ]  # fmt: skip
    done = ended_well(words)
    assert done.stdout.split() == [str(tmp_path / "model")]
    assert "Traceback" not in done.stderr
    same_run(tmp_path, alone)
    back_to_step_nine(tmp_path)
    pretrain("igc-small", disc_set, tmp_path, OPTIONS, "cpu")
    assert gone_on(capsys.readouterr().err) == [9]
    same_run(tmp_path, alone)


MEASURED = """
import sys, pathlib
from radpair.pretraining import loop
from radpair.pretraining.ranks import part
real = loop.build_trainer
def noting(*words):
    trainer = real(*words)
    cut = [p for p in trainer.model.parameters() if p.dim()]
    whole, here = sum(p.numel() for p in cut), sum(p.to_local().numel() for p in cut)
    pathlib.Path(sys.argv[2], f"part-{trainer.ranks.rank}").write_text(f"{here / whole}")
    return trainer
loop.build_trainer = noting
data, out = map(pathlib.Path, sys.argv[1:3])
loop.pretrain("igc-small", data, out, sys.argv[3:], "cpu", strategy="fsdp")
part()
"""


def test_a_run_of_one_process_goes_on_under_torchrun_with_its_weights_cut(
    disc_set: Path, alone: Path, tmp_path: Path
) -> None:
    run, script = tmp_path / "run", tmp_path / "script.py"
    shutil.copytree(alone, run)
    back_to_step_nine(run)
    script.write_text(MEASURED)
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    words = [sys.executable, *torchrun, str(script), str(disc_set), str(run), *OPTIONS]
    done = ended_well(words)
    assert gone_on(done.stderr) == [9]
    same_run(run, alone)
    parts = [float((run / f"part-{rank}").read_text()) for rank in (0, 1)]
    assert sum(parts) == pytest.approx(1)
    assert parts == pytest.approx([0.5, 0.5], abs=0.03)


@pytest.mark.parametrize("image", ["resnet10t", "test_vit", "test_efficientnet"])
def test_units_are_used_once_whatever_the_lengths_of_texts(
    image: str, disc_set: Path, tiny: tuple[str, ...], tmp_path: Path
) -> None:
    """Else processes would put together different units, or the same in another order."""
    options = (*tiny, f"image.name={image}", "partner=both", "graph.nodes=contextual")
    recipe = load_recipe("igc-small", options)
    studies = StudySet.open(disc_set)
    tokenizer = run_tokenizer(recipe, studies)
    towers = Towers(PairModel(recipe.model, tokenizer.get_vocab_size()))
    pairs = prepare_pairs(recipe, studies, tokenizer, towers.model, tmp_path)
    batch = pairs.train.batch(np.arange(16), 0)
    assert batch.text is not None
    lengths = tuple(3 + 60 * (row % 2) for row in range(16))
    batch = replace(batch, text=replace(batch.text, lengths=lengths))
    chosen, used = units(towers), Counter[int]()
    for one in chosen:
        one.register_forward_hook(lambda module, _, __: used.update([id(module)]))
    runs = Counter[str]()
    towers.model.text.encoder.bert.register_forward_hook(lambda *_: runs.update(["bert"]))
    towers(Parcel(batch))
    assert runs["bert"] > 1
    assert used == Counter({id(one): 1 for one in chosen})
    assert sum(isinstance(one, TextEncoder | ContextNodes) for one in chosen) == 2
    assert len(chosen) > 3
    places = {id(module): place for place, module in enumerate(towers.modules())}
    assert [places[id(one)] for one in chosen] == sorted(
        (places[id(one)] for one in chosen), reverse=True
    )


def test_scalars_are_what_the_objective_learns(tiny: tuple[str, ...]) -> None:
    recipe = load_recipe(
        "convirt-small", [*tiny, "objective.kind=sigmoid", "objective.image_weight=0.5"]
    )
    model = PairModel(recipe.model, 40)
    assert {id(one) for one in scalars(model)} == {id(p) for p in model.temperature.parameters()}


@pytest.mark.parametrize(
    ("strategy", "option", "message"),
    [
        ("fdsp", "training.seed=1", "--strategy 'fdsp' is not known; did you mean 'fsdp'"),
        ("fsdp", "training.average=0.9", "does not go with training.average"),
        ("fsdp", "training.compile=true", "does not go with training.compile"),
    ],
)
def test_what_cannot_be_cut_is_refused(
    strategy: str, option: str, message: str, disc_set: Path, tmp_path: Path
) -> None:
    with pytest.raises(RunError, match=message):
        pretrain("igc-small", disc_set, tmp_path / "run", (*TINY, option), strategy=strategy)
    assert not (tmp_path / "run").exists()
