"""Weights, gradients and the optimiser's state cut among the processes of a run (FSDP2).

Each process keeps its part of every weight, and has the whole of a block only while that is at
work (Zhao et al., "PyTorch FSDP: experiences on scaling fully sharded data parallel", 2023). What
leaves a run, checkpoints and models, is whole, so that it may go on in any other way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from radpair.encoders.graph import ContextNodes
from radpair.encoders.text import TextEncoder
from radpair.models.pair import PairModel
from radpair.pretraining.ranks import Ranks


def sharding(world: int) -> Any:
    """Lightning's strategy that cuts ``Towers`` among ``world`` processes."""
    from lightning.fabric.strategies import ModelParallelStrategy

    return ModelParallelStrategy(_cut, data_parallel_size=world, tensor_parallel_size=1)


def _cut(towers: nn.Module, mesh: Any) -> nn.Module:
    own = mesh["data_parallel"]
    for parameter in towers.parameters():
        parameter.data = parameter.data.contiguous()  # channels-last weights cannot be cut
    whole = set(scalars(towers))
    for parameter in whole:
        parameter.data = parameter.data.to(own.device_type)
    for unit in units(towers):
        fully_shard(unit, mesh=own, ignored_params=whole)
    fully_shard(towers, mesh=own, reshard_after_forward=True, ignored_params=whole)
    return towers


def scalars(model: nn.Module) -> list[nn.Parameter]:
    """The parameters that are one number; they cannot be cut, and every process has them."""
    return [parameter for parameter in model.parameters() if parameter.dim() == 0]


def average_scalars(model: nn.Module, ranks: Ranks) -> None:
    """Gives every process the mean of the scalars' gradients, as it has of all others."""
    for parameter in scalars(model):
        if parameter.grad is not None:
            parameter.grad = ranks.total(parameter.grad) / ranks.world


def units(towers: nn.Module) -> list[nn.Module]:
    """What is put together and taken apart again by itself, inner modules before outer ones.

    That is every repeated block of the image tower, and a language model as a whole: processes
    must put the same units together in the same order, and a language model reads a batch in as
    many pieces as its texts have kinds of lengths, another number on each process. The rest is
    one unit more.
    """
    modules = list(towers.modules())
    language = [one for one in modules if isinstance(one, TextEncoder | ContextNodes)]
    inside = {id(part) for one in language for part in one.modules()}
    blocks = [one for outer in modules if id(outer) not in inside for one in _repeated(outer)]
    chosen = {id(one) for one in (*language, *blocks)}
    return [one for one in reversed(modules) if id(one) in chosen]


def _repeated(outer: nn.Module) -> Iterator[nn.Module]:
    """The blocks of a sequence: those of its members that are themselves made of modules."""
    if isinstance(outer, nn.Sequential | nn.ModuleList):
        for member in outer.children():
            if any(True for _ in member.children()) and any(True for _ in member.parameters()):
                yield member


def whole(value: Any, *, keep: bool) -> Any:
    """``value`` with every tensor in it whole and on the host; all processes take part.

    The memory of one tensor at a time is needed on each; those that do not ``keep`` what they got
    have empty tensors in its place.
    """
    if isinstance(value, DTensor):
        full = value.full_tensor()
        return full.cpu() if keep else full.new_empty(0, device="cpu")
    if isinstance(value, Tensor):
        return value.detach().cpu().clone()
    if isinstance(value, Mapping):
        return {key: whole(part, keep=keep) for key, part in value.items()}
    return value


def part_of(value: Tensor, like: Tensor) -> Tensor:
    """This process's part of ``value``, in memory as ``like`` is; all where that is not cut."""
    if value.shape != like.shape:
        return value
    if not isinstance(like, DTensor):
        return torch.empty_like(like, dtype=value.dtype).copy_(value)
    here = value.to(like.to_local().device).contiguous()
    return distribute_tensor(here, like.device_mesh, like.placements, src_data_rank=None)


def load_weights(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Puts whole ``weights`` into a model, cut or not."""
    own = model.state_dict()
    model.load_state_dict({key: part_of(value, own[key]) for key, value in weights.items()})


def load_optimiser(optimiser: torch.optim.Optimizer, state: Mapping[str, Any]) -> None:
    """Puts the whole state of an optimiser into one whose parameters are cut, or not.

    Fused optimisers go through memory, so the state must lie there as its parameter does.
    """
    parameters = [one for group in optimiser.param_groups for one in group["params"]]
    parts = {
        number: {
            key: part_of(value, parameters[number]) if isinstance(value, Tensor) else value
            for key, value in values.items()
        }
        for number, values in state["state"].items()
    }
    optimiser.load_state_dict({**state, "state": parts})


def plain_copy(model: PairModel, weights: Mapping[str, Tensor]) -> PairModel:
    """A model like ``model`` that is not cut, with whole ``weights``."""
    copy = PairModel(model.config, model.vocabulary, load_weights=False, language=model.language)
    copy.load_state_dict(weights)
    return copy
