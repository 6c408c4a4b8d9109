"""The pair model: an image tower, a text tower, a graph tower, and the space they share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from radpair.encoders.graph import ContextNodes, GraphConfig, GraphEncoder, WordNodes
from radpair.encoders.image import ImageConfig, ImageEncoder
from radpair.encoders.projection import projection
from radpair.encoders.text import TextConfig, TextEncoder, build_bert, reach
from radpair.errors import RecipeError, nearest
from radpair.graphs.arrays import EDGE_TYPES, NODE_KINDS, SUPER_NODE
from radpair.objectives.config import ObjectiveConfig, Temperature
from radpair.studyset.batch import GraphBatch, PairBatch, TextBatch

Shape = Mapping[str, Any] | None
PARTNERS = ("text", "graph", "both", "none")


@dataclass(frozen=True)
class PairConfig:
    """What a pair model is made of; written into its folder."""

    partner: str = "text"
    """``text`` (ConVIRT), ``graph`` (IGC), ``both``, or ``none``: an image encoder alone."""
    dim: int = 512
    """Width of the shared space."""
    image_head: str = "mlp"
    """``mlp`` or ``linear``."""
    partner_head: str = "mlp"
    image: ImageConfig = field(default_factory=ImageConfig)
    text: TextConfig = field(default_factory=TextConfig)
    graph: GraphConfig = field(default_factory=GraphConfig)
    objective: ObjectiveConfig = field(default_factory=ObjectiveConfig)

    def __post_init__(self) -> None:
        if self.partner not in PARTNERS:
            raise RecipeError(
                f"partner '{self.partner}' is not known{nearest(self.partner, PARTNERS)}"
            )
        if self.dim < 1:
            raise RecipeError(f"dim is {self.dim}; it must be at least 1")

    @property
    def has_text(self) -> bool:
        """Whether there is a text tower."""
        return self.partner in ("text", "both")

    @property
    def has_graph(self) -> bool:
        """Whether there is a graph tower."""
        return self.partner in ("graph", "both")

    @property
    def has_context(self) -> bool:
        """Whether graph nodes need a language model's view of the whole report."""
        return self.has_graph and self.graph.nodes == "contextual"


@dataclass(frozen=True)
class Codes:
    """Points in the shared space, each ``[studies, dim]``, of any length."""

    image: Tensor
    text: Tensor | None
    graph: Tensor | None


class TextTower(nn.Module):
    """Sentence to shared space."""

    def __init__(self, config: PairConfig, vocabulary: int, shape: Shape) -> None:
        super().__init__()
        bert = build_bert(config.text, vocabulary, shape)
        self.encoder = TextEncoder(config.text, bert)
        self.head = projection(config.partner_head, self.encoder.dim, config.dim)

    def forward(self, batch: TextBatch) -> Tensor:
        """``[texts, dim]``."""
        out: Tensor = self.head(self.encoder(batch.tokens, batch.mask, batch.lengths))
        return out


class GraphTower(nn.Module):
    """Knowledge graph to shared space."""

    def __init__(self, config: PairConfig, vocabulary: int, shape: Shape) -> None:
        super().__init__()
        self.nodes: ContextNodes | WordNodes
        if config.has_context:
            bert = build_bert(config.text, vocabulary, shape)
            self.nodes = ContextNodes(bert, frozen=config.text.weights != "none")
        else:
            self.nodes = WordNodes(vocabulary, config.graph.word_width)
        self.encoder = GraphEncoder(config.graph, self.nodes.dim, NODE_KINDS, EDGE_TYPES)
        self.head = projection(config.partner_head, self.encoder.dim, config.dim)

    @property
    def window(self) -> int:
        """How many tokens of a report are read at once."""
        return reach(self.nodes.bert) if isinstance(self.nodes, ContextNodes) else 512

    def forward(self, batch: GraphBatch) -> Tensor:
        """``[graphs, dim]``."""
        out: Tensor = self.head(self.encoder(self.words(batch), batch))
        return out

    @property
    def has_constant_nodes(self) -> bool:
        """Whether the nodes' vectors are the same in every step (``models.node_vectors``)."""
        return isinstance(self.nodes, ContextNodes) and self.nodes.frozen

    def words(self, batch: GraphBatch) -> Tensor:
        """``[nodes, width]``: what each node's own words say; zero for super-nodes and roots."""
        if batch.vectors is not None:
            return batch.vectors
        if isinstance(self.nodes, ContextNodes):
            assert batch.context is not None
            read = batch.context
            words = self.nodes(
                read.tokens, read.mask, batch.places, batch.owner, len(batch.kind), read.lengths
            )
        else:
            words = self.nodes(batch.pieces, batch.piece_offsets)
        own = (batch.kind < SUPER_NODE).unsqueeze(1)
        return torch.where(own, words, torch.zeros((), dtype=words.dtype, device=words.device))


class PairModel(nn.Module):
    """All towers of one configuration."""

    def __init__(
        self,
        config: PairConfig,
        vocabulary: int,
        *,
        load_weights: bool = True,
        language: Shape = None,
    ) -> None:
        """With ``load_weights`` false no outside weights are read: they are about to be loaded.

        ``language`` is then the configuration of the language model as a folder kept it.
        """
        super().__init__()
        self.config = config
        self.vocabulary = vocabulary
        self.image = ImageEncoder(config.image, load_weights=load_weights)
        self.image_head = projection(config.image_head, self.image.dim, config.dim)
        self.text = TextTower(config, vocabulary, language) if config.has_text else None
        self.graph = GraphTower(config, vocabulary, language) if config.has_graph else None
        self.temperature = Temperature(config.objective)

    @property
    def window(self) -> int:
        """How many tokens of a report the graph tower reads at once."""
        return 512 if self.graph is None else self.graph.window

    @property
    def language(self) -> dict[str, Any] | None:
        """The configuration of the language model, None where there is none."""
        for tower in (self.text and self.text.encoder, self.graph and self.graph.nodes):
            if isinstance(tower, TextEncoder | ContextNodes):
                found: dict[str, Any] = tower.bert.config.to_diff_dict()
                return {**found, "model_type": tower.bert.config.model_type}
        return None

    def forward(self, batch: PairBatch) -> Codes:
        """Codes of a batch's images and partners."""
        return Codes(
            image=self.image_head(self.image(batch.pixels)),
            text=None if self.text is None or batch.text is None else self.text(batch.text),
            graph=None if self.graph is None or batch.graph is None else self.graph(batch.graph),
        )

    def objective_values(self) -> tuple[Tensor, Tensor | None]:
        """The scale and the bias of the objective."""
        return self.temperature(), self.temperature.bias

    def compile_towers(self) -> None:
        """Compiles the image tower in place (``torch.compile``); its weights keep their names."""
        self.image.compile()
