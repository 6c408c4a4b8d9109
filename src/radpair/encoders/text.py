"""The text encoder: a BERT whose token outputs are pooled into one vector a text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from radpair.compat import mend_torchvision
from radpair.encoders.hub import hub
from radpair.encoders.lengths import Part, in_order, parts_by_length
from radpair.errors import RecipeError, nearest

POOLINGS = ("max", "mean", "cls")


@dataclass(frozen=True)
class TextConfig:
    """The text tower, and the language model behind contextual graph nodes."""

    weights: str = "none"
    """A local Hugging Face folder, a hub name (downloaded by that name), or ``none``."""
    vocabulary: int = 8000
    """Size of the WordPiece vocabulary trained on the corpus when there are no weights."""
    layers: int = 12
    width: int = 768
    heads: int = 12
    dropout: float = 0.1
    max_tokens: int = 80
    """Longer sentences are cut here, special tokens included."""
    pooling: str = "max"
    """``max`` over the tokens (ConVIRT, section 4.2), ``mean``, or ``cls``."""
    sentences: int = 1
    """How many random sentences of a report make one text; ConVIRT (section 4.1) takes one."""
    frozen_layers: int = 0
    """With weights: the embeddings and this many lower layers stay as they are."""

    def __post_init__(self) -> None:
        if self.pooling not in POOLINGS:
            raise RecipeError(
                f"text.pooling '{self.pooling}' is not known{nearest(self.pooling, POOLINGS)}"
            )
        for key, least in (("layers", 1), ("width", 1), ("heads", 1), ("vocabulary", 30)):
            if getattr(self, key) < least:
                raise RecipeError(
                    f"text.{key} is {getattr(self, key)}; it must be at least {least}"
                )
        if not 0 <= self.dropout < 1:
            raise RecipeError(f"text.dropout is {self.dropout}; it must lie within 0 to 1")
        if self.width % self.heads:
            raise RecipeError(
                f"text.width {self.width} is not a multiple of text.heads {self.heads}"
            )
        if self.sentences < 1:
            raise RecipeError(f"text.sentences is {self.sentences}; it must be at least 1")
        if not 8 <= self.max_tokens <= 512:
            raise RecipeError(f"text.max_tokens is {self.max_tokens}; it must be 8 to 512")


class TextEncoder(nn.Module):
    """Token ids to one vector a text."""

    def __init__(self, config: TextConfig, bert: Any) -> None:
        super().__init__()
        self.config = config
        self.bert = bert
        self.dim = int(bert.config.hidden_size)

    def forward(self, tokens: Tensor, mask: Tensor, lengths: Sequence[int] | None = None) -> Tensor:
        """Pools ``tokens [texts, length]`` where ``mask`` is true; padding is never pooled.

        With ``lengths [texts]`` texts of similar length are read together, which changes no value
        in evaluation mode; in training the same dropout falls on other places. Returns
        ``[texts, dim]``.
        """
        parts = parts_by_length(tokens, mask, lengths)
        return in_order(parts, [self._pooled(part) for part in parts])

    def _pooled(self, part: Part) -> Tensor:
        states: Tensor = self.bert(
            input_ids=part.tokens, attention_mask=part.attention_mask(self.bert)
        )[0]
        if self.config.pooling == "cls":
            return states[:, 0]
        mask = part.mask.unsqueeze(-1)
        if self.config.pooling == "mean":
            weights = mask.to(states.dtype)
            return (states * weights).sum(1) / weights.sum(1).clamp(min=1)
        return states.masked_fill(~mask, torch.finfo(states.dtype).min).amax(1)


def build_bert(config: TextConfig, vocabulary: int, shape: Mapping[str, Any] | None = None) -> Any:
    """A BERT without its pooler: from ``config.weights``, else of the configured size, random.

    With ``shape``, the configuration that a model folder kept, nothing outside is read: the
    weights are about to be loaded. Raises ``RecipeError`` where the weights cannot be had or
    ``config.max_tokens`` is more than the model can read.
    """
    mend_torchvision()
    from transformers import AutoConfig, AutoModel

    if shape is not None:
        bert = AutoModel.from_config(AutoConfig.for_model(**shape), add_pooling_layer=False)
    elif config.weights != "none":
        bert = _from_weights(AutoModel, config.weights, add_pooling_layer=False)
    else:
        bert = _random_bert(config, vocabulary)
    if config.max_tokens > reach(bert):
        raise RecipeError(
            f"text.max_tokens is {config.max_tokens}, but the model in text.weights "
            f"'{config.weights}' reads at most {reach(bert)}; lower text.max_tokens"
        )
    if config.weights != "none":
        _freeze_lower(bert, config.frozen_layers)
    return bert


def reach(bert: Any) -> int:
    """How many tokens a language model reads at once."""
    return min(512, int(getattr(bert.config, "max_position_embeddings", 512)))


def _random_bert(config: TextConfig, vocabulary: int) -> Any:
    from transformers import BertConfig, BertModel

    shape = BertConfig(
        vocab_size=vocabulary,
        hidden_size=config.width,
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        intermediate_size=4 * config.width,
        hidden_dropout_prob=config.dropout,
        attention_probs_dropout_prob=config.dropout,
    )
    return BertModel(shape, add_pooling_layer=False)


def _from_weights(loader: Any, weights: str, **options: Any) -> Any:
    local = Path(weights).exists()
    with nullcontext("") if local else hub() as offline:
        try:
            return loader.from_pretrained(weights, trust_remote_code=False, **options)
        except (OSError, ValueError) as problem:
            why = f" ({offline}, and it was not fetched before)" if offline else ""
            raise RecipeError(
                f"text.weights {'folder' if local else 'name'} '{weights}' cannot be read as a "
                f"Hugging Face model{why}; where there is no network, download its config.json, "
                "vocab.txt or tokenizer.json and model.safetensors elsewhere into one folder and "
                "give that folder as --set text.weights=FOLDER"
            ) from problem


def load_tokenizer(weights: str) -> Any:
    """The tokenizer that belongs to ``weights``. Raises ``RecipeError``."""
    mend_torchvision()
    from transformers import AutoTokenizer

    return _from_weights(AutoTokenizer, weights)


def _freeze_lower(bert: Any, layers: int) -> None:
    """ConVIRT, section 4.2: embeddings and the first six layers keep ClinicalBERT's values.

    With no parameter and no input that asks for a gradient, autograd keeps nothing of them, as
    under ``no_grad``. Their dropout stays on in training, of which the paper says nothing. Without
    it their output could be kept, 768 numbers for every token of the corpus, but the upper layers
    would then see every sentence in one way only.
    """
    if layers <= 0:
        return
    bert.embeddings.requires_grad_(False)
    for layer in bert.encoder.layer[:layers]:
        layer.requires_grad_(False)
