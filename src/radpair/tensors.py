"""Floor 0: groups of tensors that travel from the loader to a device, and waiting for one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, Self, TypeVar

import torch
from torch import Tensor


@dataclass(frozen=True)
class TensorGroup:
    """A dataclass of tensors, of other groups, and of what stays on the host."""

    def pin_memory(self) -> Self:
        """The same group in page-locked memory; the data loader calls this on its way to a GPU."""
        return mapped(self, Tensor.pin_memory)


Group = TypeVar("Group", bound=TensorGroup)


def to_device(group: Group, device: torch.device) -> Group:
    """The same group with every tensor on ``device``."""
    return mapped(group, lambda tensor: tensor.to(device, non_blocking=True))


def wait_for(device: torch.device) -> None:
    """Until all work given to the device is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def mapped(group: Group, change: Callable[[Tensor], Tensor]) -> Group:
    """The same group with every tensor changed, also those of groups within."""
    changed: dict[str, Any] = {}
    for field in fields(group):
        value = getattr(group, field.name)
        if isinstance(value, Tensor):
            changed[field.name] = change(value)
        elif isinstance(value, TensorGroup):
            changed[field.name] = mapped(value, change)
    return replace(group, **changed)
