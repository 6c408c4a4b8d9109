"""A pretended GPU: tensors that say they are on ``cuda`` and are computed by the processor.

``pretended_gpu()`` makes torch believe in one device. What is moved there becomes ``There``, whose
values lie in the host's memory where only this file can reach them. Operations that mix both sides
raise as CUDA does, and whatever makes the host wait for the device is written down. Only the
kernels are another's: what CUDA's kernels refuse or compute otherwise is not seen here.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import torch
from torch import Tensor
from torch.nested._internal import sdpa
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map

aten = torch.ops.aten
COMPOSITE = "CompositeImplicitAutograd"
HOST, GPU = torch.device("cpu"), torch.device("cuda", 0)
ROOT = Path(__file__).parents[1]
TENSOR = torch.tensor
ASKING = {
    aten._local_scalar_dense.default: "a value is read",
    aten.equal.default: "a value is read",
    aten.nonzero.default: "the size depends on values",
    aten.masked_select.default: "the size depends on values",
    aten._unique2.default: "the size depends on values",
    aten.unique_dim.default: "the size depends on values",
    aten.unique_consecutive.default: "the size depends on values",
    aten.bincount.default: "the size depends on values",
}
"""Operations for which the host waits."""
INDEXED = {
    aten.index.Tensor, aten.index_put.default, aten.index_put_.default,
    aten._index_put_impl_.default, aten._unsafe_index.Tensor, aten._unsafe_index_put.default,
}  # fmt: skip


class MixedError(RuntimeError):
    """Tensors of both sides in one operation."""


class There(Tensor):
    """A tensor on the pretended GPU."""

    here: Tensor

    @staticmethod
    def __new__(cls, here: Tensor) -> There:
        assert type(here) is Tensor, type(here)
        found: There = Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls,
            here.size(),
            strides=here.stride(),
            storage_offset=here.storage_offset(),
            dtype=here.dtype,
            layout=here.layout,
            device=GPU,
        )
        found.here = here
        return found

    def __tensor_flatten__(self) -> tuple[list[str], None]:
        return ["here"], None

    @staticmethod
    def __tensor_unflatten__(parts: dict[str, Tensor], *_: object) -> There:
        return There(parts["here"])

    def tolist(self) -> Any:
        """Torch refuses this of subclasses."""
        return self.cpu().tolist()

    def __reduce_ex__(self, protocol: Any) -> Any:
        """As it is written into a checkpoint."""
        return self.here.detach().__reduce_ex__(protocol)

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        copy: Tensor = There(self.here.detach().clone())
        if isinstance(self, torch.nn.Parameter):
            copy = torch.nn.Parameter(copy, requires_grad=self.requires_grad)
        memo[id(self)] = copy
        return copy

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if any(_is_wrapper(kind) for kind in types):
            return NotImplemented  # nested tensors know what to do with us
        raise MixedError(f"{func}: outside of the pretence")


@dataclass
class Pretended(TorchDispatchMode):
    """What happened on the device."""

    waits: list[tuple[str, str]] = field(default_factory=list)
    """Where the host waited, and why."""
    pageable: list[str] = field(default_factory=list)
    """Copies out of memory that is not page-locked, for which CUDA may wait."""

    def __post_init__(self) -> None:
        super().__init__()

    def wait(self, why: str) -> None:
        self.waits.append((_place(), why))

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        if any(not isinstance(one, There) and _is_wrapper(type(one)) for one in tensors):
            return NotImplemented
        if torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), COMPOSITE):
            with self:  # made of other operations, which come here whole in inference mode
                return func.decompose(*args, **kwargs)
        asked = kwargs.get("device")
        there = [one for one in tensors if isinstance(one, There)]
        gpu = bool(there) if asked is None else torch.device(asked).type == "cuda"
        if func is aten._to_copy.default:
            self._note_copy(tensors[0], gpu=gpu, later=bool(kwargs.get("non_blocking")))
        elif func is aten.copy_.default:
            later = len(args) > 2 and bool(args[2])
            self._note_copy(args[1], gpu=isinstance(args[0], There), later=later)
            gpu = isinstance(args[0], There)
        elif there:
            self._check(func, args, kwargs, tensors)
        inner = tree_map(_here, (args, kwargs))
        if asked is not None:
            inner[1]["device"] = HOST
        found = KERNELS.get(func, func)(*inner[0], **inner[1])
        if not gpu:
            return found
        out = tree_map(lambda one: There(one) if isinstance(one, Tensor) else one, found)
        return return_and_correct_aliasing(func, args, kwargs, out)

    def _note_copy(self, source: Tensor, *, gpu: bool, later: bool) -> None:
        if isinstance(source, There) == gpu:
            return
        if not gpu:
            self.wait("a tensor is copied to the host")
        elif not later:
            self.wait("a tensor is copied to the device and waited for")
        elif not getattr(source, "pinned_here", False) and source.numel():
            self.pageable.append(_place())

    def _check(self, func: Any, args: Any, kwargs: Any, tensors: list[Tensor]) -> None:
        scalars = torch.Tag.pointwise in func.tags or func is aten.masked_fill_.Tensor
        for one in tensors:
            if not isinstance(one, There) and not (scalars and one.dim() == 0):
                raise MixedError(f"{func}: {tuple(one.shape)} on the host beside tensors on cuda")
        if func in ASKING:
            self.wait(ASKING[func])
        masks = [one for one in tree_leaves(args[1:2]) if isinstance(one, Tensor)]
        if func in INDEXED and any(one.dtype in (torch.bool, torch.uint8) for one in masks):
            self.wait("the size depends on values")
        if func is aten.repeat_interleave.Tensor and kwargs.get("output_size") is None:
            self.wait("the size depends on values")


def _here(value: Any) -> Any:
    return value.here if isinstance(value, There) else value


def _is_wrapper(kind: type) -> bool:
    """Whether tensors of this class, which is not ours, hold others within."""
    return kind is not There and kind.__torch_dispatch__ is not Tensor.__torch_dispatch__


def _place() -> str:
    """The innermost line of this repository that is not of this file."""
    for frame in reversed(traceback.extract_stack()):
        path = Path(frame.filename)
        if path != Path(__file__) and ROOT in path.parents and ".venv" not in path.parts:
            return f"{path.relative_to(ROOT)}:{frame.name}"
    return "elsewhere"


def _pinned(tensor: Tensor) -> Tensor:
    copy = tensor.clone()
    copy.pinned_here = True  # type: ignore[attr-defined]
    return copy


def _runs(cuts: Tensor, *rows: Tensor) -> Iterator[list[Tensor]]:
    """``rows [rows, heads, width]`` as ``[heads, rows, width]`` of each run that ``cuts`` bound."""
    assert cuts.dtype == torch.int32
    assert all(one.stride(-1) == 1 for one in rows)
    sizes = cuts.diff().tolist()
    parts = [one.float().transpose(0, 1).split(sizes, 1) for one in rows]
    return map(list, zip(*parts, strict=True))


def _together(runs: list[Tensor], like: Tensor) -> Tensor:
    return torch.cat(runs, 1).transpose(0, 1).to(like.dtype).contiguous()


def _attended(query: Tensor, key: Tensor, value: Tensor, cuts: Tensor) -> Tensor:
    """Attention within each run of rows."""
    scale = query.shape[-1] ** -0.5
    runs = [(scale * q @ k.mT).softmax(-1) @ v for q, k, v in _runs(cuts, query, key, value)]
    return _together(runs, query)


def _attended_back(
    slope: Tensor, query: Tensor, key: Tensor, value: Tensor, cuts: Tensor
) -> tuple[Tensor, ...]:
    scale, found = query.shape[-1] ** -0.5, []
    for g, q, k, v in _runs(cuts, slope.contiguous(), query, key, value):
        share = (scale * q @ k.mT).softmax(-1)
        moved = g @ v.mT
        moved = scale * share * (moved - (moved * share).sum(-1, keepdim=True))
        found.append((moved @ k, moved.mT @ q, share.mT @ g))
    return tuple(_together(list(runs), query) for runs in zip(*found, strict=True))


def _flash(query: Tensor, key: Tensor, value: Tensor, cuts: Tensor, *_: Any, **__: Any) -> Any:
    assert query.dtype in (torch.bfloat16, torch.float16)
    rest = torch.zeros(query.shape[:2]).T, *(torch.zeros(2) for _ in range(3))
    return _attended(query, key, value, cuts), *rest


def _flash_back(slope: Tensor, q: Tensor, k: Tensor, v: Tensor, *rest: Any, **_: Any) -> Any:
    return _attended_back(slope, q, k, v, rest[2])


def _efficient(
    q: Tensor, k: Tensor, v: Tensor, _: None, cuts: Tensor, __: Tensor, *most: Any, **___: Any
) -> Any:
    out = _attended(*(one.squeeze(0) for one in (q, k, v)), cuts).unsqueeze(0)
    return out, torch.zeros(q.shape[:3]), torch.zeros(()), torch.zeros(()), most[0], most[1]


def _efficient_back(slope: Tensor, q: Tensor, k: Tensor, v: Tensor, *rest: Any, **_: Any) -> Any:
    found = _attended_back(*(one.squeeze(0) for one in (slope, q, k, v)), rest[2])
    return *(one.unsqueeze(0) for one in found), torch.zeros(())


KERNELS = {
    aten._flash_attention_forward.default: _flash,
    aten._flash_attention_backward.default: _flash_back,
    aten._efficient_attention_forward.default: _efficient,
    aten._efficient_attention_backward.default: _efficient_back,
}
"""Of variable lengths, which the processor does not have; without their dropout."""


def _tensor(data: Any, *, device: Any = None, **options: Any) -> Tensor:
    """``torch.tensor``, which makes its tensors where no mode sees it."""
    found = TENSOR(data, **options)
    return found if device is None else found.to(device)


def _inference(wanted: bool) -> Any:
    """Inference mode, which tensors of other classes cannot be used in."""
    return torch.no_grad() if wanted else nullcontext()


class Generator(torch.Generator):
    """The processor's, wherever it is wanted."""

    def __new__(cls, _: object = HOST) -> Generator:
        return super().__new__(cls, HOST)


class Event:
    """``torch.cuda.Event``: the device of this file is always done."""

    def __init__(self, **_: object) -> None:
        self.at = 0.0

    def record(self, _: object = None) -> None:
        self.at = time.perf_counter()

    def elapsed_time(self, end: Event) -> float:
        return 1e3 * (end.at - self.at)


@contextmanager
def pretended_gpu() -> Iterator[Pretended]:
    """Torch has one GPU within, and what is done on it is written down."""
    mode, swap = Pretended(), torch.__future__.set_swap_module_params_on_conversion
    told = SimpleNamespace(major=9, minor=0, name="pretended", total_memory=2**37)
    answers: dict[str, Any] = {
        "is_available": lambda: True,
        "device_count": lambda: 1,
        "current_device": lambda: 0,
        "set_device": lambda _: None,
        "_lazy_init": lambda: None,
        "is_initialized": lambda: True,
        "manual_seed_all": lambda _: None,
        "get_device_capability": lambda _=None: (9, 0),
        "get_device_name": lambda _=None: "pretended",
        "get_device_properties": lambda _=None: told,
        "is_bf16_supported": lambda including_emulation=True: True,
        "synchronize": lambda _=None: mode.wait("synchronize"),
        "get_rng_state": lambda _: None,
        "set_rng_state": lambda *_: None,
        "empty_cache": lambda: None,
        "max_memory_allocated": lambda _=None: 0,
        "reset_peak_memory_stats": lambda _=None: None,
        "Event": Event,
    }
    with ExitStack() as stack:
        for name, answer in answers.items():
            stack.enter_context(mock.patch.object(torch.cuda, name, answer))
        for place, name, answer in (
            (torch.accelerator, "is_available", lambda: True),
            (sdpa, "can_use_flash_attention", lambda asked: asked.query.dtype == torch.bfloat16),
            (sdpa, "can_use_efficient_attention", lambda _: True),
            (torch, "tensor", _tensor),
            (torch, "Generator", Generator),
            (torch._C, "_InferenceMode", _inference),
            (Tensor, "pin_memory", _pinned),
        ):
            stack.enter_context(mock.patch.object(place, name, answer))
        stack.callback(swap, torch.__future__.get_swap_module_params_on_conversion())
        swap(True)  # so that a module's weights become others where it moves
        stack.enter_context(mode)
        yield mode
