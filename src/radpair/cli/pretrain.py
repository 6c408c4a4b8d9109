"""``radpair pretrain``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


def pretrain(
    recipe: str,
    /,
    *,
    data: Path,
    out: Path,
    overrides: Annotated[tuple[str, ...], Parameter(name="--set", consume_multiple=True)] = (),
    device: str = "auto",
    devices: int = 1,
    nodes: int = 1,
    strategy: str = "ddp",
    profile: bool = False,
    tensorboard: bool = False,
) -> None:
    """Train a recipe on a study set; the same command again continues where it stopped.

    Under torchrun or SLURM, start it once a device: the processes find each other.

    Args:
        recipe: A name (convirt, igc, convirt-small, igc-small) or a YAML file.
        data: The study set.
        out: The folder of the run; the model is written to its folder 'model'.
        overrides: Values in place of the recipe's, as key=value, for instance image.size=160.
        device: 'auto', 'cpu' or 'cuda'; CUDA_VISIBLE_DEVICES=1 chooses the second GPU of several.
        devices: GPUs, or processes on a CPU, that share each batch on this machine.
        nodes: Machines, where a launcher started a process a device on each.
        strategy: 'ddp', or 'fsdp' for models too large for one device: each has a part of the
            weights and of the optimiser's state. It may change when a run is continued.
        profile: Measure where the time of a step goes, and the fraction of the device's peak that
            it reaches; written to 'profile.json' and printed at the end. The weights stay the same.
        tensorboard: Write the figures of 'metrics.jsonl' to 'tensorboard' too; look at them with
            tensorboard --logdir OUT.
    """
    from radpair.pretraining import pretrain as train
    from radpair.pretraining.ranks import part
    from radpair.processes import place

    model = train(
        recipe, data, out, overrides, device, devices, nodes, strategy,
        profile=profile, tensorboard=tensorboard,
    )  # fmt: skip
    if not place():
        print(model)
    part()
