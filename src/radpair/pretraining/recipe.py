"""A recipe: one YAML file that says what to train and how."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from radpair.errors import RecipeError, nearest
from radpair.images.augment import AugmentationConfig
from radpair.models.pair import PairConfig
from radpair.settings import build, with_value

OPTIMISERS = ("adam", "adamw")
SCHEDULES = ("constant", "cosine", "plateau")
PRECISIONS = ("auto", "32-true", "bf16-mixed")
KEPT = ("best", "last")
NODE_CACHES = ("float32", "float16", "none")
AUGMENTED_ON = ("auto", "host", "device")
EVALUATORS = ("knn", "retrieval")

_LEAST = {
    "batch": 2,
    "shards": 0,
    "average": 0,
    "epochs": 1,
    "checkpoint": 1,
    "log": 1,
    "steps_per_epoch": 0,
    "learning_rate": 0,
    "weight_decay": 0,
    "clip": 0,
    "warmup": 0,
    "patience": 0,
    "freeze_image": 0,
    "workers": 0,
    "seed": 0,
}


@dataclass(frozen=True)
class TrainingConfig:
    """Optimisation, schedule, and what is kept."""

    batch: int = 32
    """Studies a step, over all processes."""
    shards: int = 0
    """Parts of a batch that are encoded apart, one after the other or on several processes; batch
    normalisation, dropout and memory belong to a shard, the objective sees the whole batch. 0 is
    the number of processes that the run begins with."""
    epochs: int = 200
    steps_per_epoch: int = 0
    """0: one pass over the training studies; each epoch ends with a validation."""
    optimiser: str = "adam"
    learning_rate: float = 1e-4
    weight_decay: float = 1e-6
    clip: float = 5.0
    """Largest norm of the gradient; 0 leaves it alone."""
    schedule: str = "plateau"
    """``plateau`` scales the rate by ``factor`` after more than ``patience`` epochs without a
    better validation loss; ``cosine`` falls to zero at the end; ``constant``."""
    warmup: int = 0
    """Steps over which ``cosine`` and ``constant`` rise from zero."""
    patience: int = 5
    factor: float = 0.5
    freeze_image: int = 0
    """Steps at the start during which the image tower stays as it is."""
    average: float = 0.0
    """Decay of an exponential moving average of the weights, which is then what is validated and
    saved; 0 keeps the weights themselves."""
    keep: str = "best"
    """``best`` by validation loss, or ``last``."""
    precision: str = "auto"
    """``auto`` is bf16-mixed where the GPU, or without one the CPU, has it; else 32-true."""
    node_cache: str = "float32"
    """How the vectors of graph nodes are kept where their language model is frozen: computed once
    and read from the run's folder until it is finished, or ``none``, computed in every step."""
    augment_on: str = "auto"
    """Where training images are augmented: ``host``, ``device``, or ``auto``, which is the device
    where it is a GPU. Alike in distribution, not in every pixel's last digit."""
    compile: bool = False
    """Compile the image tower for this machine (``torch.compile``), which takes minutes at first
    and on a CPU a C++ compiler. There it does not pay: steps of ResNet-50 and ViT-B/32 were as fast
    without (docs/performance.md). Nobody has measured it on a GPU yet."""
    checkpoint: int = 200
    """Steps between checkpoints; there is one at the end of each epoch too."""
    log: int = 10
    """Steps between the training lines of the metrics log; the last step has one too."""
    workers: int = 0
    """Processes that prepare batches beside the training process; 0 leaves it to a thread there."""
    seed: int = 0

    def __post_init__(self) -> None:
        _one_of("training.optimiser", self.optimiser, OPTIMISERS)
        _one_of("training.schedule", self.schedule, SCHEDULES)
        _one_of("training.precision", self.precision, PRECISIONS)
        _one_of("training.keep", self.keep, KEPT)
        _one_of("training.node_cache", self.node_cache, NODE_CACHES)
        _one_of("training.augment_on", self.augment_on, AUGMENTED_ON)
        for key, least in _LEAST.items():
            if not getattr(self, key) >= least:
                raise RecipeError(
                    f"'training.{key}' is {getattr(self, key)}; it must be at least {least}"
                )
        if not self.average < 1:
            raise RecipeError(f"'training.average' is {self.average}; it must be below 1")
        if not 0 < self.factor < 1:
            raise RecipeError(f"'training.factor' is {self.factor}; it must lie between 0 and 1")
        if self.seed >= 2**31:
            raise RecipeError(f"'training.seed' is {self.seed}; it must be below 2147483648")


@dataclass(frozen=True)
class ScheduledEvaluator:
    """What to measure on the validation split while training goes on, and how often."""

    name: str = ""
    """``knn``: AUROC of nearest neighbours in the features, for sets with labels; ``retrieval``:
    recall of the right report or graph, and back."""
    every: int = 1
    """Epochs from one time to the next; it is measured after the last epoch too."""

    def __post_init__(self) -> None:
        _one_of("evaluators.name", self.name, EVALUATORS)
        if self.every < 1:
            raise RecipeError(
                f"'evaluators' asks for '{self.name}' every {self.every} epochs; "
                "it must be at least 1"
            )

    def due(self, epoch: int, epochs: int) -> bool:
        """Whether it is measured at the end of ``epoch`` (the first is 1) of ``epochs``."""
        return epoch % self.every == 0 or epoch == epochs


@dataclass(frozen=True)
class Recipe(PairConfig):
    """Everything that decides a run, apart from the data: the model, and how it is trained."""

    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    start: str = ""
    """A model folder whose weights training starts from; empty starts afresh."""
    evaluators: tuple[ScheduledEvaluator, ...] = ()
    """What is watched; it decides nothing of the weights."""

    def __post_init__(self) -> None:
        _one_of("partner", self.partner, ("text", "graph", "both"))
        names = [one.name for one in self.evaluators]
        for name in names:
            if names.count(name) > 1:
                raise RecipeError(f"'evaluators' names '{name}' twice; give it one schedule")

    @property
    def model(self) -> PairConfig:
        """The part that a model folder keeps."""
        return PairConfig(**{key.name: getattr(self, key.name) for key in fields(PairConfig)})


def recipe_names() -> list[str]:
    """The recipes that come with radpair."""
    folder = resources.files("radpair") / "recipes"
    return sorted(item.name[:-5] for item in folder.iterdir() if item.name.endswith(".yaml"))


def load_recipe(name: str, overrides: Sequence[str] = ()) -> Recipe:
    """A recipe by name or by file, with ``key=value`` overrides applied.

    Raises ``RecipeError`` naming an unknown recipe or key and the nearest known one.
    """
    values = _parsed(name)
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals:
            raise RecipeError(
                f"--set {override}: write it as key=value, for instance image.size=128"
            )
        values = with_value(values, key.strip(), _override_value(text))
    return build(Recipe, values)


def _override_value(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text


def _parsed(name: str) -> dict[str, Any]:
    path = Path(name)
    if path.suffix in (".yaml", ".yml"):
        if not path.is_file():
            raise RecipeError(f"{path}: no such recipe file; recipes: {', '.join(recipe_names())}")
        text = path.read_bytes().decode("utf-8", errors="replace")
    elif name in recipe_names():
        text = (resources.files("radpair") / "recipes" / f"{name}.yaml").read_text(encoding="utf-8")
    else:
        raise RecipeError(f"recipe '{name}' does not exist{nearest(name, recipe_names())}")
    try:
        values = yaml.load(text, _NoKeyTwice)
    except yaml.YAMLError as problem:
        where = getattr(problem, "problem_mark", None)
        line = f", line {where.line + 1}" if where else ""
        what = "not valid YAML; mend it or start from a copy"
        if isinstance(problem, _TwiceError):
            what = str(problem.problem)
        raise RecipeError(f"{name}{line}: {what}") from problem
    if not isinstance(values, dict):
        raise RecipeError(
            f"{name}: a recipe is a mapping of keys to values; start from a copy of one: "
            f"{', '.join(recipe_names())}"
        )
    return values


class _TwiceError(yaml.MarkedYAMLError):
    """A key stands in a mapping twice."""


class _NoKeyTwice(yaml.SafeLoader):
    """YAML's own loader lets the last of two equal keys win."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """Raises ``_TwiceError`` where the second one stands."""
        node = super().compose_mapping_node(anchor)
        seen = set()
        for key, _ in node.value:
            if str(key.value) in seen:
                problem = f"the key '{key.value}' a second time; keep the one that you mean"
                raise _TwiceError(problem=problem, problem_mark=key.start_mark)
            seen.add(str(key.value))
        return node


def _one_of(key: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise RecipeError(f"'{key}' is '{value}'{nearest(value, known)}")
