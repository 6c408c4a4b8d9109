"""The graph encoder of IGC: relational graph convolution, then attention over the whole graph.

Khanna et al., "Learning generalized medical image representations through image-graph
contrastive pretraining", 2023, section 3. Its tensors are laid out by ``radpair.graphs.arrays``.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from radpair.errors import RecipeError, nearest

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

    Edges come sorted by relation and grouped into segments, one for each pair of a relation and
    a target node. Neighbours are averaged first, so that each relation costs one matrix product
    over only the nodes that it reaches.
    """

    def __init__(self, width_in: int, width_out: int, relations: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(relations, width_in, width_out))
        self.root = nn.Linear(width_in, width_out)
        for matrix in self.weight:
            nn.init.xavier_uniform_(matrix)

    def forward(self, nodes: Tensor, edges: Edges) -> Tensor:
        """``nodes [nodes, width_in]`` to ``[nodes, width_out]``."""
        messages = nodes[edges.source] * edges.weight.unsqueeze(1).to(nodes.dtype)
        means = nodes.new_zeros(len(edges.target), nodes.shape[1])
        means = means.index_add(0, edges.segment, messages)
        out: Tensor = self.root(nodes)
        reached = [
            means[start:end] @ self.weight[relation]
            for relation, (start, end) in enumerate(
                zip(edges.bounds[:-1], edges.bounds[1:], strict=True)
            )
            if end > start
        ]
        if not reached:
            return out
        return out.index_add(0, edges.target, torch.cat(reached).to(out.dtype))


@dataclass(frozen=True)
class Edges:
    """The relations of a batch of graphs, sorted by (relation, target)."""

    source: Tensor
    """``[edges]``: the node that a message comes from."""
    segment: Tensor
    """``[edges]``: the segment that it is averaged in."""
    weight: Tensor
    """``[edges]``: one over the size of that segment."""
    target: Tensor
    """``[segments]``: the node that a segment reaches."""
    bounds: tuple[int, ...]
    """``[relations + 1]``: the segments of relation r are ``bounds[r]:bounds[r + 1]``."""


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

    def forward(
        self,
        words: Tensor,
        kind: Tensor,
        edges: Edges,
        graph: Tensor,
        position: Tensor,
        graphs: int,
    ) -> Tensor:
        """One vector a graph, ``[graphs, dim]``.

        ``words [nodes, node_width]`` is zero for super-nodes and roots, whose learned vector is
        that of their ``kind [nodes]``; ``graph [nodes]`` and ``position [nodes]`` say where a node
        belongs.
        """
        nodes = words + self.kinds(kind)
        for convolution in self.convolutions:
            nodes = torch.relu(convolution(nodes, edges))
        padded, mask = _pad(nodes, graph, position, graphs)
        attended = self.attention(padded, src_key_padding_mask=~mask)
        held = mask.unsqueeze(-1).to(attended.dtype)
        pooled = (attended * held).sum(1) / held.sum(1)
        out: Tensor = self.head(pooled)
        return out


def _pad(nodes: Tensor, graph: Tensor, position: Tensor, graphs: int) -> tuple[Tensor, Tensor]:
    """``[graphs, longest, width]`` and the mask of what is real in it."""
    longest = int(position.max()) + 1
    padded = nodes.new_zeros(graphs, longest, nodes.shape[1])
    mask = torch.zeros(graphs, longest, dtype=torch.bool, device=nodes.device)
    mask[graph, position] = True
    padded = padded.index_put((graph, position), nodes)
    return padded, mask


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
        self, tokens: Tensor, mask: Tensor, places: Tensor, owner: Tensor, nodes: int
    ) -> Tensor:
        """``[nodes, dim]`` from windows ``tokens [windows, length]``.

        ``places [pieces]`` are positions in the flattened windows and ``owner [pieces]`` the node
        that each piece belongs to; a node without pieces is zero.
        """
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            hidden = self.bert(
                input_ids=tokens, attention_mask=mask.long(), output_hidden_states=True
            ).hidden_states
            states = torch.stack(hidden[-4:]).sum(0).flatten(0, 1)
        pieces = states[places]
        count = pieces.new_zeros(nodes).index_add(0, owner, pieces.new_ones(len(owner)))
        total = pieces.new_zeros(nodes, self.dim).index_add(0, owner, pieces)
        return total / count.clamp(min=1).unsqueeze(1)
