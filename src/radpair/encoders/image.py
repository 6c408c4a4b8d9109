"""Image encoders: any timm backbone over grey radiographs."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from textwrap import shorten
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from radpair.compat import mend_torchvision
from radpair.encoders.hub import hub
from radpair.errors import RecipeError, nearest


@dataclass(frozen=True)
class ImageConfig:
    """The image tower."""

    name: str = "resnet50"
    """A timm model name."""
    weights: str = "none"
    """``none``, ``pretrained`` (timm's own, downloaded by that name), or a local file."""
    channels: int = 3
    """3 repeats the grey image for weights made on colour; 1 for training from scratch."""
    size: int = 224
    """Input height and width, pixels."""
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    """Subtracted per channel after scaling pixels to 0..1."""
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    """Divided by per channel."""

    def __post_init__(self) -> None:
        if self.channels not in (1, 3):
            raise RecipeError(f"image.channels is {self.channels}; it must be 1 or 3")
        if self.size < 32:
            raise RecipeError(f"image.size is {self.size}; it must be at least 32 pixels")
        for key, values in (("mean", self.mean), ("std", self.std)):
            if len(values) != self.channels:
                raise RecipeError(
                    f"image.{key} has {len(values)} values for {self.channels} channels; "
                    "give one value a channel"
                )


class ImageEncoder(nn.Module):
    """Grey pixels to features; normalisation is part of the encoder and travels with it.

    To make one turns TF32 off for convolutions, which torch has on: what is asked for in 32 bits
    is then computed in 32 bits on a GPU too, as matrix products are.
    """

    table: Tensor
    """``[256, channels]``: what the encoder sees of each grey level."""

    def __init__(self, config: ImageConfig, *, load_weights: bool = True) -> None:
        super().__init__()
        torch.backends.cudnn.allow_tf32 = False
        self.config = config
        self.backbone = _backbone(config, load_weights=load_weights)
        self.backbone.to(memory_format=torch.channels_last)
        self.dim = int(self.backbone.num_features)
        grey = torch.arange(256).view(-1, 1) / 255
        table = (grey - torch.tensor(config.mean)) / torch.tensor(config.std)
        self.register_buffer("table", table, persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """Features ``[images, dim]`` of ``pixels [images, size, size]``, 0 black to 255 white."""
        images = F.embedding(pixels.int(), self.table).permute(0, 3, 1, 2)  # channels last
        features: Tensor = self.backbone(images)
        return features


def _backbone(config: ImageConfig, *, load_weights: bool) -> Any:
    mend_torchvision()
    import timm

    known = timm.list_models()
    if config.name.split(".")[0] not in known:
        raise RecipeError(
            f"image.name '{config.name}' is not a timm model{_near(config.name, known)}"
        )
    wanted = config.weights if load_weights else "none"
    with hub() if wanted == "pretrained" else nullcontext("") as offline:
        try:
            return _created(config, wanted)
        except (OSError, RuntimeError) as problem:
            raise RecipeError(_weights_message(config, problem, offline)) from problem


def _created(config: ImageConfig, wanted: str) -> Any:
    """The timm model; those of a fixed input size take ``img_size``, the others refuse it."""
    import timm

    create = partial(
        timm.create_model,
        config.name,
        pretrained=wanted != "none",
        pretrained_cfg_overlay=_local_file(wanted),
        in_chans=config.channels,
        num_classes=0,
    )
    try:
        return create(img_size=config.size)
    except TypeError:
        return create()


def _local_file(weights: str) -> dict[str, str] | None:
    if weights in ("none", "pretrained"):
        return None
    path = Path(weights)
    if not path.is_file():
        raise RecipeError(
            f"image.weights '{weights}' is not a file; give a local .safetensors file, "
            "'pretrained' to download timm's weights by name, or 'none'"
        )
    if path.suffix != ".safetensors":
        raise RecipeError(
            f"image.weights '{weights}' is not a .safetensors file; other formats can run code "
            "when they are opened, so convert it first"
        )
    return {"file": str(path)}


def _near(name: str, known: list[str]) -> str:
    hint = nearest(name, known)
    return hint if "did you mean" in hint else ""


def _weights_message(config: ImageConfig, problem: Exception, offline: str) -> str:
    reason = (str(problem).strip().splitlines() or ["no reason given"])[0]
    if config.weights != "pretrained":
        return f"the weights in '{config.weights}' do not fit timm model '{config.name}': {reason}"
    import timm

    known = timm.get_pretrained_cfg(config.name)
    place = (known and known.hf_hub_id) or f"timm/{config.name}"
    why = f"{offline}, and they were not before" if offline else shorten(reason, 160)
    return (
        f"the weights of timm model '{config.name}' could not be fetched ({why}); fetch "
        f"model.safetensors of {place} on the Hugging Face hub elsewhere and give it as --set "
        "image.weights=FILE, or start from random weights with --set image.weights=none"
    )
