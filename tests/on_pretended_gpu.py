"""Steps, validation, codes, fine-tuning and whole runs on a pretended GPU, held to the processor's.

``test_pretended_gpu.py`` starts these tests in a process that can pretend.
"""

from __future__ import annotations

import dataclasses
import json
import runpy
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from discs import TINY, DiscSource
from pretended_gpu import MixedError, Pretended, There, pretended_gpu
from radpair.encoders import lengths
from radpair.evaluation.fine_tune.classifier import Classifier
from radpair.evaluation.fine_tune.films import Fitted
from radpair.evaluation.fine_tune.loop import Part as FilmsOf
from radpair.evaluation.fine_tune.loop import image_probabilities, train
from radpair.evaluation.fine_tune.settings import FineTuneConfig, Trial
from radpair.evaluation.fine_tune.tasks import one_class, task_of
from radpair.images.augment import AugmentationConfig, draw
from radpair.images.augment_batch import pack_films, render
from radpair.models import Model
from radpair.models.pair import PairModel
from radpair.pretraining import arithmetic, load_recipe, pretrain
from radpair.pretraining.pairs import Pairs, Part, prepare_pairs, run_tokenizer
from radpair.pretraining.ranks import Layout
from radpair.pretraining.run import read_metrics
from radpair.pretraining.step import take_step
from radpair.pretraining.trainer import Trainer, build_trainer, start_processes
from radpair.pretraining.validation import validate
from radpair.reports.tokenizer import train_tokenizer
from radpair.studyset import StudySet
from radpair.studyset.batch import to_device, with_pixels
from squares import Squares, small_model

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
FACTS = ("src/radpair/pretraining/step.py:take_step", "a tensor is copied to the host")
"""Where a step waits for its loss and for the norm of its gradient. The first one of a process
also waits for attention to be tried (``encoders.ragged``)."""
PLAIN = (*TINY, "training.augment_on=device", "text.dropout=0", "graph.dropout=0")
BOTH = ("convirt-small", "partner=both", "objective.kind=sigmoid", "objective.image_weight=0.5")
CASES = {
    "texts": ("convirt-small",),
    "texts, learned temperature, running mean": (
        "convirt-small", "objective.learn_temperature=true", "training.average=0.9",
    ),
    "graphs of words": ("igc-small",),
    "graphs of words, in chunks": ("igc-small", "objective.chunk=5"),
    "both, by sigmoid": BOTH,
    "both, in chunks, ViT": (*BOTH, "objective.chunk=5", "image.name=test_vit"),
    "both, in two shards": (*BOTH, "training.shards=2"),
    "graphs in context": ("igc-small", "graph.nodes=contextual", "text.layers=4"),
    "pictures from the host": ("convirt-small", "training.augment_on=host"),
}  # fmt: skip


@pytest.fixture
def gpu() -> Iterator[Pretended]:
    with pretended_gpu() as found:
        yield found


def built(disc_set: Path, device: str, folder: Path, options: tuple[str, ...]) -> Any:
    recipe = load_recipe(options[0], [*PLAIN, "training.precision=32-true", *options[1:]])
    studies = StudySet.open(disc_set)
    tokenizer = run_tokenizer(recipe, studies)
    torch.manual_seed(3)
    model = PairModel(recipe.model, tokenizer.get_vocab_size())
    ranks = start_processes(recipe, device, 1, 1)
    there = ranks.fabric.device
    pairs = prepare_pairs(recipe, studies, tokenizer, model, folder / "kept", there)
    layout = Layout(recipe.training.shards or 1)
    return build_trainer(recipe, ranks, layout, 16, model, 10), pairs


def steps(trainer: Trainer, pairs: Pairs, gpu: Pretended | None, count: int = 3) -> list[Any]:
    """The values of some steps, and what each waited for or may wait for."""
    found = []
    trainer.wrap_towers()  # which waits
    parts = Part(trainer.layout).of(np.arange(16))
    for turn in range(count):
        batch = [pairs.train.batch(part, turn) for part in parts]
        if gpu is not None:
            batch = [shard.pin_memory() for shard in batch]
            gpu.waits.clear()
            gpu.pageable.clear()
        shards = [with_pixels(to_device(shard, trainer.fabric.device)) for shard in batch]
        done = take_step(trainer, shards)
        trainer.step += 1
        found.append((done.values, [*gpu.waits, *gpu.pageable] if gpu else []))
    return found


@pytest.mark.parametrize("name", CASES)
def test_a_step_is_that_of_the_processor_and_waits_once(
    name: str, disc_set: Path, tmp_path: Path
) -> None:
    alone = built(disc_set, "cpu", tmp_path, CASES[name])
    expected = [values for values, _ in steps(*alone, None)]
    validated = validate(*alone)
    with pretended_gpu() as gpu:
        trainer, pairs = built(disc_set, "cuda", tmp_path, CASES[name])
        found = steps(trainer, pairs, gpu)
        for (values, _), wanted in zip(found, expected, strict=True):
            assert values == pytest.approx(wanted, rel=2e-4, abs=1e-5)
        assert [waits for _, waits in found[1:]] == [[FACTS], [FACTS]]
        assert validate(trainer, pairs) == pytest.approx(validated, rel=1e-3, abs=1e-4)
        assert all(isinstance(one, There) for one in trainer.model.state_dict().values())


def test_the_best_weights_are_kept_on_the_host_by_the_first_process(
    disc_set: Path, tmp_path: Path, gpu: Pretended
) -> None:
    trainer, _ = built(disc_set, "cuda", tmp_path, ("convirt-small", "training.keep=best"))
    trainer.ranks.rank = 1
    trainer.remember(2.0)
    assert (trainer.best, trainer.best_weights) == (2.0, {})
    trainer.ranks.rank = 0
    trainer.remember(1.0)
    assert trainer.best_weights.keys() == trainer.model.state_dict().keys()
    assert not any(isinstance(one, There) for one in trainer.best_weights.values())


def test_texts_split_by_length_are_sent_without_a_wait(
    gpu: Pretended, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lengths, "EXTRA_CUDA", 1)
    counts = [9, 3, 4, 9]
    tokens, mask = torch.ones(4, 9, dtype=torch.long), torch.ones(4, 9, dtype=torch.bool)
    parts = lengths.parts_by_length(tokens.to("cuda"), mask.to("cuda"), counts)
    assert len(parts) == 2
    gpu.waits.clear()
    found = [
        lengths.first_token(parts),
        lengths.in_order(parts, [one.tokens[:, 0] for one in parts]),
    ]
    assert all(isinstance(one, There) for one in found)
    assert (gpu.waits, gpu.pageable) == ([], [])


ASKED: dict[str, Callable[[There], Any]] = {
    "a value": lambda one: one[0].item(),
    "whether": lambda one: bool((one > 0).any()),
    "all values": lambda one: one.tolist(),
    "the host's copy": lambda one: one.cpu(),
    "a mask": lambda one: one[one > 0],
    "a mask that is written to": lambda one: one.masked_scatter(one > 0, one[one > 0]),
    "places": lambda one: one.nonzero(),
    "repeated": lambda one: torch.repeat_interleave(one, one.long()),
    "kinds": lambda one: one.unique(),
    "from the host": lambda one: one + torch.ones(3).to(one.device),
    "new from the host": lambda one: one + torch.tensor([1.0, 2.0, 3.0], device="cuda"),
    "until all is done": lambda one: torch.cuda.synchronize(),
}


@pytest.mark.parametrize("what", ASKED)
def test_what_makes_the_host_wait_is_noted(what: str, gpu: Pretended) -> None:
    one = torch.ones(3, device="cuda")
    ASKED[what](one)
    assert {place for place, _ in gpu.waits} == {"tests/on_pretended_gpu.py:<lambda>"}
    assert len(gpu.waits) == 1


def test_what_does_not_is_not(gpu: Pretended) -> None:
    one, pinned = torch.ones(3, device="cuda"), torch.arange(3.0).pin_memory()
    one[1:] += one[:2] * torch.ones(())
    torch.repeat_interleave(one, torch.ones(3, dtype=torch.long, device="cuda"), output_size=3)
    one.index_select(0, pinned.to("cuda", non_blocking=True).long())
    assert (gpu.waits, gpu.pageable) == ([], [])
    torch.ones(3).to("cuda", non_blocking=True)
    assert len(gpu.pageable) == 1


@pytest.mark.parametrize(
    "mixed",
    [
        lambda one: one + torch.ones(3),
        lambda one: one[torch.tensor([0, 1])],
        lambda one: one.index_select(0, torch.tensor([0, 1])),
        lambda one: torch.cat([one, torch.ones(())[None]]),
        lambda one: torch.nn.functional.linear(one, torch.ones(2, 3)),
        lambda one: torch.ones(3).mul_(one),
    ],
)
def test_tensors_of_both_sides_are_refused(mixed: Callable[[Any], Any], gpu: Pretended) -> None:
    with pytest.raises(MixedError):
        mixed(torch.ones(3, device="cuda"))


@pytest.mark.parametrize("augmented", [True, False])
def test_pictures_are_those_of_the_processor(augmented: bool, gpu: Pretended) -> None:
    """Films so fine that they are averaged first, and others that are not; without a wait."""
    rng = np.random.default_rng(0)
    films = [rng.integers(0, 256, (side, side + 9)).astype(np.uint8) for side in (30, 150, 400)]
    flat, shapes = np.concatenate([one.ravel() for one in films]), [one.shape for one in films]
    drawn = [draw(AugmentationConfig(), rng) for _ in films] if augmented else None
    batch = pack_films(flat, np.array(shapes), 32, drawn)
    assert (batch.work[:, 1] > 0).any()
    there = render(to_device(batch.pin_memory(), torch.device("cuda", 0)))
    assert (gpu.waits, gpu.pageable) == ([], [])
    torch.testing.assert_close(there.cpu().int(), render(batch).int(), atol=1, rtol=0)


def test_gradients_are_those_of_the_processor(gpu: Pretended) -> None:
    """The backward pass of a GPU runs in a thread of its own, which pretends too."""
    here = torch.nn.Linear(3, 2)
    there = torch.nn.Linear(3, 2).to("cuda")
    there.load_state_dict(here.state_dict())
    rows = torch.randn(4, 3)
    here(rows).square().sum().backward()
    there(rows.to("cuda")).square().sum().backward()
    torch.testing.assert_close(there.weight.grad.cpu(), here.weight.grad)


@pytest.mark.parametrize("field", ["place", "start", "kind", "pieces", "piece_offsets"])
def test_a_tensor_left_behind_is_found(
    field: str, disc_set: Path, tmp_path: Path, gpu: Pretended
) -> None:
    trainer, pairs = built(disc_set, "cuda", tmp_path, ("igc-small",))
    batch = pairs.train.batch(np.arange(16), 0)
    moved = with_pixels(to_device(batch, trainer.fabric.device))
    left = dataclasses.replace(moved.graph, **{field: getattr(batch.graph, field)})
    with pytest.raises((MixedError, AssertionError), match=r"host beside|same device"):
        take_step(trainer, [dataclasses.replace(moved, graph=left)])


@pytest.mark.parametrize("name", ["igc-small", "convirt-small"])
def test_a_step_in_bf16(name: str, disc_set: Path, tmp_path: Path, gpu: Pretended) -> None:
    """Flash attention, which takes no other type, and what autocast makes of the rest."""
    options = (name, "training.precision=bf16-mixed", "graph.dropout=0.1", "training.clip=1")
    trainer, pairs = built(disc_set, "cuda", tmp_path, options)
    found = steps(trainer, pairs, gpu)
    assert all(np.isfinite(list(values.values())).all() for values, _ in found)
    assert [waits for _, waits in found[1:]] == [[FACTS], [FACTS]]
    assert np.isfinite(list(validate(trainer, pairs).values())).all()


@pytest.mark.parametrize("nodes", ["words", "contextual"])
def test_codes_are_those_of_the_processor(nodes: str) -> None:
    studies = list(DiscSource().studies())
    films = [np.random.default_rng(n).integers(0, 256, (40, 50)).astype(np.uint8) for n in range(5)]
    tokenizer = train_tokenizer([study.report for study in studies], 120)
    options = [*TINY, "partner=both", f"graph.nodes={nodes}", "text.layers=4"]
    torch.manual_seed(0)
    pair = PairModel(load_recipe("convirt-small", options).model, tokenizer.get_vocab_size())

    def codes(device: str) -> list[Any]:
        model = Model(pair, tokenizer, name="a model", hash="0", device=device)
        images = model.encode_images(films)
        texts = model.encode_texts([study.report for study in studies])
        graphs = model.encode_graphs([study.graph for study in studies if study.graph], batch=40)
        return [images.features, images.projections, texts, graphs]

    expected = codes("cpu")
    with pretended_gpu():
        found = codes("cuda")
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_fine_tuning_is_that_of_the_processor() -> None:
    squares, fit, held = Squares(60), np.arange(30), np.arange(30, 45)
    task = task_of("auto", squares.label_names)
    settings = FineTuneConfig(batch=8, warmup=3, passes=0, least_steps=3, check=3)

    def tuned(device: str) -> tuple[Any, Any]:
        torch.manual_seed(0)
        one = Classifier(small_model().pair.image, 2, exclusive=False, dropout=0).to(device)
        one.hold(one_class(squares.labels[fit]))
        parts = [FilmsOf(studies, squares.labels[studies]) for studies in (fit, held)]
        course = train(one, task, squares, *parts, settings, Trial(3e-3, 1e-6), 0)
        return course.looks, image_probabilities(one, Fitted(squares, held, 32))

    looks, scores = tuned("cpu")
    with pretended_gpu():
        looks_there, scores_there = tuned("cuda")
    np.testing.assert_allclose(looks_there, looks, rtol=1e-4)
    np.testing.assert_allclose(scores_there, scores, atol=1e-4)


def test_whole_runs(disc_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With all that goes beside; stopped and continued there, and then on the processor."""
    monkeypatch.setattr(arithmetic, "DEVICE_SIDE", 16)
    options = [
        *PLAIN, "partner=both", "training.epochs=2", "training.average=0.9",
        "training.checkpoint=2", "training.precision=32-true", "training.steps_per_epoch=3",
        "training.keep=best",
        "evaluators=[{name: retrieval, every: 1}, {name: knn, every: 1}]",
    ]  # fmt: skip

    def go(name: str, device: str) -> list[dict[str, Any]]:
        model = pretrain(
            "convirt-small", disc_set, tmp_path / name, options, device=device, profile=True
        )
        assert (model / "hashes.json").is_file()
        return read_metrics(tmp_path / name / "metrics.jsonl")

    expected = go("processor", "cpu")
    with pretended_gpu():
        found = go("gpu", "cuda")
        (tmp_path / "gpu" / "model" / "hashes.json").unlink()
        shutil.copytree(tmp_path / "gpu", tmp_path / "moved")
        newest = sorted((tmp_path / "moved" / "checkpoints").glob("step-*.json"))[-1]
        newest.unlink()
        shutil.copytree(tmp_path / "moved", tmp_path / "again")
        again = go("again", "cuda")
    moved = go("moved", "cpu")
    wanted = [line["loss"] for line in expected if line["split"] == "validate"]
    for lines in (found, again, moved):
        losses = [line["loss"] for line in lines if line["split"] == "validate"]
        assert losses == pytest.approx(wanted, rel=1e-3)


@pytest.mark.parametrize(
    ("script", "options", "figures"),
    [
        ("gpu.py", "--tiny --recipes igc --batches 8 --shard 4 --steps 1 --studies 12", 2),
        ("gpu_images.py", "--studies 6 --stored 64 --size 32 --batch 4 --batches 3 --workers 0", 5),
    ],
)
def test_benchmarks(
    script: str, options: str, figures: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arithmetic, "DEVICE_SIDE", 16)
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    out = ["--device", "cuda", "--out", str(tmp_path / "figures.jsonl")]
    monkeypatch.setattr(sys, "argv", [script, *options.split(), *out])
    with pretended_gpu():
        runpy.run_path(str(BENCHMARKS / script), run_name="__main__")
    lines = (tmp_path / "figures.jsonl").read_text().splitlines()
    assert len(lines) >= figures
    assert all(json.loads(line)["device"] == "pretended" for line in lines)
