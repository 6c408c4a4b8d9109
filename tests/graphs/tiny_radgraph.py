"""Makes a folder of weights on which the real ``radgraph`` package runs: tiny, random, offline.

    PYTHON tests/graphs/tiny_radgraph.py WEIGHTS [--model radgraph-xl]

PYTHON is the interpreter of the environment that holds the package; radpair is not needed there.
The folder has the layout that ``radpair graphs --from radgraph`` asks for: the model's own folder,
and the files of the language model that its ``config.json`` names. What the model says is noise,
in the schema of RadGraph-XL.
"""

from __future__ import annotations

import argparse
import json
import string
from pathlib import Path
from typing import Any

LANGUAGE_MODEL = "tiny/random-bert"
SEGMENT = 64
"""Word pieces that the language model sees at once; longer reports are folded."""
LABELS = (
    "Anatomy::definitely present",
    "Observation::definitely present",
    "Observation::definitely absent",
    "Observation::uncertain",
    "Observation::measurement::definitely present",
    "Anatomy::measurement::definitely present",
)
RELATIONS = ("modify", "located_at", "suggestive_of")
WORDS = ("no", "the", "is", "of", "left", "right", "lung", "heart", "pleural", "effusion", "clear")
SPREAD, ENTITY_THRESHOLD, RELATION_THRESHOLD = 8.0, 6.0, 2.5
"""Chosen so that about a fifth of the spans have a label, and few of their pairs a relation."""


def language_model(folder: Path) -> None:
    """Shape and vocabulary of a BERT of one layer; the package takes its weights elsewhere."""
    from transformers import BertConfig, BertTokenizer

    letters = string.ascii_lowercase + string.digits
    pieces = [*letters, *(f"##{letter}" for letter in letters), *string.punctuation, *WORDS]
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *pieces]
    folder.mkdir(parents=True)
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=SEGMENT,
    ).save_pretrained(folder)


def configuration() -> dict[str, Any]:
    """``config.json`` with the keys of the published models."""
    bert = {
        "type": "pretrained_transformer_mismatched",
        "model_name": LANGUAGE_MODEL,
        "max_length": SEGMENT,
    }
    return {
        "dataset_reader": {"type": "dygie", "max_span_width": 4, "token_indexers": {"bert": bert}},
        "model": {
            "type": "dygie",
            "embedder": {"token_embedders": {"bert": bert}},
            "initializer": {},
            "module_initializer": {},
            "feature_size": 4,
            "feedforward_params": {"num_layers": 1, "hidden_dims": 8, "dropout": 0.4},
            "loss_weights": {"ner": 0.2, "relation": 1.0, "coref": 0.0, "events": 0.0},
            "max_span_width": 4,
            "modules": {
                "coref": {"coref_prop": 0, "max_antecedents": 10, "spans_per_word": 0.3},
                "events": {
                    "argument_spans_per_word": 0.8,
                    "trigger_spans_per_word": 0.3,
                    "loss_weights": {"trigger": 0.5, "arguments": 0.5},
                },
                "ner": {},
                "relation": {"spans_per_word": 0.1},
            },
            "target_task": "relation",
        },
        "vocabulary": {},
    }


def label_lists(folder: Path, model: str) -> None:
    """The vocabulary of labels; the first of the entities stands for none."""
    folder.mkdir()
    (folder / "non_padded_namespaces.txt").write_text("*tags\n*labels\n")
    (folder / f"{model}__ner_labels.txt").write_text("\n".join(["", *LABELS]) + "\n")
    (folder / f"{model}__relation_labels.txt").write_text("\n".join(RELATIONS) + "\n")


def random_weights(weights: Path, model: str, seed: int) -> dict[str, Any]:
    """Parameters by name, as the package's own classes want them."""
    import torch
    from radgraph.allennlp.data import Vocabulary
    from radgraph.allennlp.modules import text_field_embedders, token_embedders
    from radgraph.dygie.models import dygie

    shape = configuration()["model"]
    torch.manual_seed(seed)
    embedder = token_embedders.PretrainedTransformerMismatchedEmbedder(
        model_name=str(weights / LANGUAGE_MODEL), max_length=SEGMENT
    )
    for name in ("type", "embedder", "initializer", "module_initializer"):
        del shape[name]
    network = dygie.DyGIE(
        vocab=Vocabulary.from_files(str(weights / model / "vocabulary")),
        embedder=text_field_embedders.BasicTextFieldEmbedder({"bert": embedder}),
        **shape,
    )
    parameters = network.state_dict()
    for name, values in parameters.items():
        if "_ner_scorers" in name or "_relation_scorers" in name:
            _sharpen(name, values)
    return parameters


def _sharpen(name: str, values: Any) -> None:
    """Spreads the scores of the last layer around a threshold that most do not reach."""
    if name.endswith("weight"):
        values -= values.mean(dim=-1, keepdim=True)
        values *= SPREAD
    elif name.endswith("bias"):
        values.fill_(-ENTITY_THRESHOLD if "_ner_scorers" in name else -RELATION_THRESHOLD)


def make(weights: Path, model: str = "radgraph-xl", seed: int = 7) -> None:
    """Writes the folder ``weights`` for ``model``."""
    import torch

    language_model(weights / LANGUAGE_MODEL)
    (weights / model).mkdir()
    (weights / model / "config.json").write_text(json.dumps(configuration(), indent=1))
    label_lists(weights / model / "vocabulary", model)
    torch.save(random_weights(weights, model, seed), weights / model / "weights.th")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights", type=Path)
    parser.add_argument("--model", default="radgraph-xl")
    options = parser.parse_args()
    make(options.weights, options.model)
