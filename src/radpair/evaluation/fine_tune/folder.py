"""A fine-tuned classifier as a folder: weights, what they mean, and a hash of each; no pickle.

``thresholds.json`` maps labels to thresholds, in the form that ``radpair readers`` takes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
from safetensors import SafetensorError

from radpair import __version__
from radpair.encoders.image import ImageConfig, ImageEncoder
from radpair.errors import ModelError, RecipeError
from radpair.evaluation.budgets import Indices
from radpair.evaluation.fine_tune.classifier import Classifier
from radpair.evaluation.fine_tune.films import Films, Fitted
from radpair.evaluation.fine_tune.loop import image_probabilities, study_probabilities
from radpair.evaluation.fine_tune.tasks import TASKS, Task
from radpair.evaluation.statistics import Floats
from radpair.models.folder import write_atomically
from radpair.settings import build, plain

FORMAT = "radpair.classifier/1"
WEIGHTS, CONFIG, THRESHOLDS, HASHES = (
    "classifier.safetensors",
    "classifier.json",
    "thresholds.json",
    "hashes.json",
)


@dataclass(frozen=True)
class SavedClassifier:
    """A classifier with everything that its use needs."""

    classifier: Classifier
    task: Task
    thresholds: Floats
    """``[outputs]``: present is ``>=``."""
    origin: dict[str, Any]
    """The encoder, study set, budget and settings that it was made from."""
    hash: str
    views: str = "mean"
    """What a study's probability is of its images' in the figures and thresholds: ``mean`` or
    ``max``."""

    def predict(self, films: Films, studies: Indices, views: str | None = None) -> Floats:
        """Probabilities ``[studies, outputs]``: the ``mean`` or ``max`` over each study's images,
        by its own ``views`` if not given."""
        return study_probabilities(
            self.classifier, self._fitted(films, studies), views or self.views
        )

    def predict_images(self, films: Films, studies: Indices) -> Floats:
        """Probabilities ``[images, outputs]`` of every image of ``studies``, study after study."""
        return image_probabilities(self.classifier, self._fitted(films, studies))

    def _fitted(self, films: Films, studies: Indices) -> Fitted:
        return Fitted(films, studies, self.classifier.encoder.config.size)


def save_classifier(
    folder: Path,
    classifier: Classifier,
    task: Task,
    thresholds: Floats,
    origin: Mapping[str, Any],
    layer_norm: bool = True,
    views: str = "mean",
) -> None:
    """Writes ``folder``; ``hashes.json`` comes last and makes it whole."""
    image = classifier.encoder.config
    described = {
        "format": FORMAT,
        "radpair": __version__,
        "image": {**plain(image), "weights": "none"},
        "head": {"layer_norm": layer_norm},
        "preprocessing": {
            "pixels": "grey, 0 black (air) to 255 white (dense)",
            "fit": "whole image, zero-padded to a square, resized",
            "size": image.size,
            "mean": list(image.mean),
            "std": list(image.std),
            "study": f"{views} of its images' probabilities",
        },
        "views": views,
        "task": task.kind,
        "labels": list(task.names),
        "origin": dict(origin),
    }
    state = {key: value.cpu().contiguous() for key, value in classifier.state_dict().items()}
    limits = dict(zip(task.names, thresholds.tolist(), strict=True))
    parts = {
        WEIGHTS: safetensors.torch.save(state),
        CONFIG: json.dumps(described, indent=2).encode(),
        THRESHOLDS: json.dumps(limits, indent=2).encode(),
    }
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in parts.items()}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / HASHES).unlink(missing_ok=True)
    for name, content in parts.items():
        write_atomically(folder / name, content)
    write_atomically(folder / HASHES, json.dumps(hashes, indent=2).encode())


def load_classifier(folder: Path | str, device: str = "cpu") -> SavedClassifier:
    """The classifier in ``folder``, in evaluation mode; never unpickles, needs no network.

    Raises ``ModelError`` where a part is missing, altered or of another version.
    """
    folder = Path(folder)
    parts = _verified(folder)
    described = json.loads(parts[CONFIG])
    if described.get("format") != FORMAT or described.get("task") not in TASKS:
        raise ModelError(
            f"{folder / CONFIG}: format {described.get('format')} is not {FORMAT}; load it with "
            f"the radpair that wrote it ({described.get('radpair')})"
        )
    task = Task(described["task"], tuple(described["labels"]))
    try:
        encoder = ImageEncoder(build(ImageConfig, described["image"]), load_weights=False)
        classifier = Classifier(
            *(encoder, len(task.names)),
            exclusive=task.exclusive,
            layer_norm=described["head"]["layer_norm"],
        )
        classifier.load_state_dict(safetensors.torch.load(parts[WEIGHTS]))
    except (RecipeError, RuntimeError, SafetensorError) as problem:
        raise ModelError(
            f"{folder}: its weights do not fit its configuration ({problem}); save it again"
        ) from problem
    whole = hashlib.sha256(b"".join(parts[name] for name in sorted(parts))).hexdigest()
    limits = json.loads(parts[THRESHOLDS])
    thresholds = np.array([limits[name] for name in task.names], dtype=np.float64)
    ready = classifier.to(device).eval()
    views = described.get("views", "mean")
    return SavedClassifier(ready, task, thresholds, described["origin"], whole, views)


def is_whole(folder: Path, key: str) -> bool:
    """Whether ``folder`` holds, unaltered, the classifier of the run ``key``."""
    try:
        return bool(json.loads(_verified(folder)[CONFIG])["origin"]["key"] == key)
    except (ModelError, ValueError, KeyError):
        return False


def _verified(folder: Path) -> dict[str, bytes]:
    if not (folder / CONFIG).is_file() or not (folder / HASHES).is_file():
        raise ModelError(
            f"{folder}: not a fine-tuned classifier (it has no {CONFIG} with {HASHES}); make one "
            "with 'radpair evaluate fine-tune ... --save FOLDER' and give one of its folders"
        )
    try:
        hashes = json.loads((folder / HASHES).read_text())
        expected = {name: hashes[name] for name in (WEIGHTS, CONFIG, THRESHOLDS)}
    except (ValueError, KeyError, TypeError) as problem:
        raise ModelError(f"{folder / HASHES}: damaged; save the classifier again") from problem
    parts = {}
    for name, digest in expected.items():
        path = folder / name
        parts[name] = path.read_bytes() if path.is_file() else b""
        if hashlib.sha256(parts[name]).hexdigest() != digest:
            raise ModelError(
                f"{path}: missing or altered since it was written; save the classifier again"
            )
    return parts
