"""The graph encoder of IGC: relational graph convolution, then attention over the whole graph.

Khanna et al., "Learning generalized medical image representations through image-graph
contrastive pretraining", 2023, section 3. Its tensors are laid out by
``radpair.studyset.graph_store``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from radpair.encoders.lengths import Part, first_token, parts_by_length
from radpair.encoders.ragged import ragged_layer
from radpair.encoders.sparse import relation_products, sparse_product
from radpair.errors import RecipeError, nearest
from radpair.studyset.tensors import GraphBatch, RelationTensors

NODE_INPUTS = ("contextual", "words")


@dataclass(frozen=True)
class GraphConfig:
    """The graph tower."""

    nodes: str = "contextual"
    """``contextual``: sum of a language model's last four layers, averaged over the entity's
    word pieces (IGC); ``words``: a learned vector a word piece, averaged over the entity."""
    word_width: int = 128
    """Width of the learned vectors of ``words``."""
    width: int = 512
    convolutions: int = 2
    heads: int = 2
    feed_forward: int = 1024
    dropout: float = 0.1

    def __post_init__(self) -> None:
        if self.nodes not in NODE_INPUTS:
            raise RecipeError(
                f"graph.nodes '{self.nodes}' is not known{nearest(self.nodes, NODE_INPUTS)}"
            )
        for key in ("word_width", "width", "convolutions", "heads", "feed_forward"):
            if getattr(self, key) < 1:
                raise RecipeError(f"graph.{key} is {getattr(self, key)}; it must be at least 1")
        if not 0 <= self.dropout < 1:
            raise RecipeError(f"graph.dropout is {self.dropout}; it must lie within 0 to 1")
        if self.width % self.heads:
            raise RecipeError(
                f"graph.width {self.width} is not a multiple of graph.heads {self.heads}"
            )


class RelationalConvolution(nn.Module):
    """``out_i = W_0 x_i + b + sum_r mean_{j in N_r(i)} W_r x_j`` (Schlichtkrull et al. 2018).

    Each relation costs one matrix product over only the nodes that it reaches, or that it comes
    from where these are fewer (``radpair.studyset.relations``).
    """

    def __init__(self, width_in: int, width_out: int, relations: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(relations, width_in, width_out))
        self.root = nn.Linear(width_in, width_out)
        for matrix in self.weight:
            nn.init.xavier_uniform_(matrix)

    def forward(self, nodes: Tensor, relations: RelationTensors) -> Tensor:
        """``nodes [nodes, width_in]`` to ``[nodes, width_out]``."""
        weight: Tensor = self.weight
        device = nodes.device.type
        if torch.is_autocast_enabled(device):
            precision = torch.get_autocast_dtype(device)
            nodes, weight = nodes.to(precision), weight.to(precision)
        rows = sparse_product(relations.gather, nodes)
        products = relation_products(rows, weight, relations.bounds)
        out: Tensor = self.root(nodes) + sparse_product(relations.scatter, products)
        return out


class GraphEncoder(nn.Module):
    """Node vectors and relations to one vector a graph."""

    def __init__(self, config: GraphConfig, node_width: int, kinds: int, relations: int) -> None:
        """``kinds`` counts entity labels, super-node and root; ``relations`` counts inverses."""
        super().__init__()
        self.kinds = nn.Embedding(kinds, node_width)
        widths = [node_width] + [config.width] * config.convolutions
        self.convolutions = nn.ModuleList(
            RelationalConvolution(a, b, relations) for a, b in pairwise(widths)
        )
        self.attention = nn.TransformerEncoderLayer(
            config.width,
            config.heads,
            config.feed_forward,
            config.dropout,
            batch_first=True,
        )
        self.head = nn.Sequential(
            nn.Linear(config.width, config.width),
            nn.ReLU(),
            nn.Linear(config.width, config.width),
            nn.ReLU(),
        )
        self.dim = config.width

    def forward(self, words: Tensor, batch: GraphBatch) -> Tensor:
        """One vector a graph, ``[graphs, dim]``, in the order that was asked for.

        ``words [nodes, node_width]`` is zero for super-nodes and roots, whose learned vector is
        that of their kind.
        """
        nodes = words + self.kinds(batch.kind)
        for convolution in self.convolutions:
            nodes = torch.relu(convolution(nodes, batch.relations))
        attended = ragged_layer(self.attention, nodes, batch.sizes, batch.start)
        out: Tensor = self.head(sparse_product(batch.pool, attended))
        return out.index_select(0, batch.place)


class WordNodes(nn.Module):
    """Learned word-piece vectors, averaged over each entity."""

    def __init__(self, vocabulary: int, width: int) -> None:
        super().__init__()
        self.table = nn.EmbeddingBag(vocabulary, width, mode="mean")
        self.dim = width

    def forward(self, pieces: Tensor, offsets: Tensor) -> Tensor:
        """``pieces [pieces]`` grouped by ``offsets [nodes]`` to ``[nodes, dim]``; none is zero."""
        out: Tensor = self.table(pieces, offsets)
        return out


class ContextNodes(nn.Module):
    """A language model's vectors of each entity in its sentence (IGC, section 3).

    The last four layers are summed and the word pieces of an entity averaged.
    """

    def __init__(self, bert: Any, *, frozen: bool) -> None:
        super().__init__()
        self.bert = bert
        self.frozen = frozen
        self.dim = int(bert.config.hidden_size)
        if frozen:
            self.bert.requires_grad_(False)

    def train(self, mode: bool = True) -> ContextNodes:
        super().train(mode)
        if self.frozen:
            self.bert.eval()
        return self

    def forward(
        self,
        tokens: Tensor,
        mask: Tensor,
        places: Tensor,
        owner: Tensor,
        nodes: int,
        lengths: Sequence[int] | None = None,
    ) -> Tensor:
        """``[nodes, dim]`` from windows ``tokens [windows, length]``.

        ``places [pieces]`` are positions in the flattened windows and ``owner [pieces]`` the node
        that each piece belongs to; a node without pieces is zero. With ``lengths [windows]``
        windows of similar length are read together.
        """
        parts = parts_by_length(tokens, mask, lengths)
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            states = torch.cat([self._states(part) for part in parts])
        longest = tokens.shape[1]
        pieces = states[first_token(parts)[places // longest] + places % longest]
        count = pieces.new_zeros(nodes).index_add(0, owner, pieces.new_ones(len(owner)))
        total = pieces.new_zeros(nodes, self.dim).index_add(0, owner, pieces)
        return total / count.clamp(min=1).unsqueeze(1)

    def _states(self, part: Part) -> Tensor:
        """``[tokens, dim]``: the sum of the last four layers."""
        hidden = self.bert(
            input_ids=part.tokens,
            attention_mask=part.attention_mask(self.bert),
            output_hidden_states=True,
        ).hidden_states
        return torch.stack(hidden[-4:]).sum(0).flatten(0, 1)
