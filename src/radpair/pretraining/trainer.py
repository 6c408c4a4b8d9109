"""All that changes while a run goes on, and the pieces that it is made of."""

from __future__ import annotations

import inspect
import logging
import math
import os
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed import TCPStore  # type: ignore[attr-defined]
from torch.nn.parallel import DistributedDataParallel

from radpair.compat import mend_torchvision
from radpair.errors import RunError
from radpair.models.pair import PairModel
from radpair.pretraining import sharded
from radpair.pretraining.mean import RunningMean
from radpair.pretraining.ranks import (
    Layout,
    Ranks,
    leave_fabric_run,
    machines,
    processes_here,
)
from radpair.pretraining.recipe import Recipe, TrainingConfig
from radpair.pretraining.schedule import scheduler
from radpair.processes import start_others
from radpair.studyset.batch import PairBatch
from radpair.tensors import wait_for


class Parcel:
    """A batch on its way through the wrappers of Fabric, which open every dataclass they meet."""

    __slots__ = ("batch",)

    def __init__(self, batch: PairBatch) -> None:
        self.batch = batch


class Towers(nn.Module):
    """A pair model in the form that is wrapped for several processes."""

    def __init__(self, model: PairModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, parcel: Parcel) -> tuple[Tensor | None, ...]:
        """Codes of the images, the texts and the graphs, and what the objective learns."""
        codes = self.model(parcel.batch)
        return codes.image, codes.text, codes.graph, *self.model.objective_values()


@dataclass
class Trainer:
    """The state of a run."""

    ranks: Ranks
    layout: Layout
    batch: int
    """Studies a step, over all processes."""
    model: PairModel
    """The model that the steps change."""
    optimiser: torch.optim.Optimizer
    scheduler: Any
    config: TrainingConfig
    mean: RunningMean | None = None
    step: int = 0
    best: float = math.inf
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    """On the host of the first process, which writes them; the others have none."""
    towers: Any = None
    """``Towers`` as Fabric wrapped them for the last step."""
    frozen: bool = False
    """Whether the image tower did not learn when they were wrapped."""

    def wrap_towers(self) -> None:
        """Has Fabric wrap them for the next step, where that differs from the last.

        DDP sums the gradients of what learns when it is made, and would have to search for those
        that do not come; it is made anew, by all processes, once the image tower learns.
        """
        frozen = self.step < self.config.freeze_image
        if self.towers is None or (frozen is not self.frozen and not self.ranks.sharded):
            self.towers = None  # one at a time
            self.model.image.requires_grad_(not frozen)
            wait_for(self.fabric.device)  # it is made on another stream, which sends the weights
            self.towers = self.fabric.setup_module(Towers(self.model))
            wait_for(self.fabric.device)
            self.frozen = frozen

    @property
    def fabric(self) -> Any:
        """Lightning's Fabric: device, precision and processes."""
        return self.ranks.fabric

    @property
    def own(self) -> range:
        """The shards of this process."""
        return self.layout.shards_of(self.ranks.rank)

    @property
    def rows(self) -> slice:
        """This process's studies among those of a batch."""
        if self.ranks.world == 1:
            return slice(None)
        return slice(*self.layout.rows_of(self.ranks.rank, self.batch))

    def gather(self, rows: Tensor) -> Tensor:
        """What every process has of its own studies, in the order of the batch."""
        bounds = [self.layout.rows_of(rank, self.batch) for rank in range(self.ranks.world)]
        return self.ranks.gather(rows, [last - first for first, last in bounds])

    @property
    def kept(self) -> PairModel:
        """The model that is validated and saved: the running mean where there is one."""
        return self.model if self.mean is None else self.mean.model

    def complete(self) -> PairModel | None:
        """The kept model; where it is sharded a copy in one piece, which the first process gets.

        All processes ask for it together.
        """
        if not self.ranks.sharded:
            return self.kept
        weights = self._whole(self.model.state_dict())
        return sharded.plain_copy(self.model, weights) if self.ranks.first else None

    def _whole(self, state: Any) -> Any:
        return sharded.whole(state, keep=self.ranks.first) if self.ranks.sharded else state

    def remember(self, loss: float) -> None:
        """Notes a validation loss, and the weights where it is the best and the best are kept."""
        if not loss < self.best:
            return
        self.best = loss
        if self.config.keep == "best":
            state = self._whole(self.kept.state_dict())
            if self.ranks.first:
                self.best_weights = {
                    key: value.detach().to("cpu", copy=True) for key, value in state.items()
                }

    def state(self) -> dict[str, Any]:
        """Tensors and plain values from which ``restore`` continues, whole on the first process.

        All processes ask for it together.
        """
        mean = {} if self.mean is None else {"mean": self.mean.model.state_dict()}
        return {
            "step": self.step,
            "best": self.best,
            "best_weights": self.best_weights,
            "model": self._whole(self.model.state_dict()),
            "optimiser": self._whole(self.optimiser.state_dict()),
            "scheduler": self.scheduler.state_dict(),
            **mean,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Goes on from ``state``, in whatever number of processes and manner it was written."""
        self.step, self.best = state["step"], state["best"]
        self.best_weights = state["best_weights"] if self.ranks.first else {}
        sharded.load_weights(self.model, state["model"])
        sharded.load_optimiser(self.optimiser, state["optimiser"])
        self.scheduler.load_state_dict(state["scheduler"])
        if self.mean is not None:
            self.mean.model.load_state_dict(state["mean"])


def start_processes(
    recipe: Recipe, device: str, devices: int, nodes: int, strategy: str = "ddp"
) -> Ranks:
    """This process's place among those of the run; starts the others where no launcher did."""
    mend_torchvision()
    from lightning.fabric import Fabric

    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    logging.getLogger("lightning.fabric").setLevel(logging.WARNING)
    leave_fabric_run(_kind(device), strategy, recipe.training.precision)
    devices, nodes = processes_here(devices), machines(nodes)
    fabric = Fabric(
        accelerator=device,
        devices=devices,
        num_nodes=nodes,
        strategy=_strategy(strategy, devices * nodes),
        precision=recipe.training.precision,
    )
    launcher, met = fabric.strategy.launcher, None
    if launcher is not None and not launcher.cluster_environment.creates_processes_externally:
        met = _start_others(launcher.cluster_environment, devices)
    _meet(fabric)
    del met  # the processes have found each other there
    return Ranks(fabric, sharded=strategy == "fsdp")


def _meet(fabric: Any) -> None:
    try:
        fabric.launch()
    except torch.distributed.DistNetworkError as problem:
        if "EADDRINUSE" not in str(problem):
            raise
        where = ":".join(os.environ.get(key, "?") for key in ("MASTER_ADDR", "MASTER_PORT"))
        raise RunError(
            f"{where}, where the processes of the run are to meet, is taken; set the variable "
            "MASTER_PORT to a free port for all of them"
        ) from problem


def _start_others(environment: Any, devices: int) -> TCPStore:
    """Starts what Fabric would start, which then finds that a launcher has been at work.

    Its own way of ending them together is to kill all without a word, and the port that it finds
    for them may be somebody else's a moment later. They meet in what is returned.
    """
    address = environment.main_address
    meeting = TCPStore(address, 0, is_master=True, wait_for_workers=False, multi_tenant=True)
    os.environ.update(
        MASTER_ADDR=address, MASTER_PORT=str(meeting.port), WORLD_SIZE=str(devices), NODE_RANK="0"
    )
    start_others(devices - 1)
    return meeting


def _kind(device: str) -> str:
    found = "cuda" if torch.cuda.is_available() else "cpu"
    return found if device == "auto" else device


def _strategy(name: str, world: int) -> Any:
    from lightning.fabric.strategies import DDPStrategy

    if name == "fsdp":
        return sharded.sharding(world)
    if world == 1:
        return "auto"
    return DDPStrategy(**_own_buffers())


def _own_buffers() -> dict[str, bool]:
    """The buffers are kept alike by ``RunningStatistics``; torch 2.13 renamed the option."""
    known = inspect.signature(DistributedDataParallel).parameters
    name = "forward_sync_buffers" if "forward_sync_buffers" in known else "broadcast_buffers"
    return {name: False}


def build_trainer(
    recipe: Recipe, ranks: Ranks, layout: Layout, batch: int, model: PairModel, total: int
) -> Trainer:
    """Everything at step 0, on this process's device."""
    config = recipe.training
    device = ranks.fabric.device
    if config.compile:
        model.compile_towers()
    mean = RunningMean(model, config.average, device) if config.average else None
    towers = ranks.fabric.setup_module(Towers(model)) if ranks.sharded else None
    ranks.fabric.to_device(model)
    trained = [p for p in model.parameters() if p.requires_grad]
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[config.optimiser]
    optimiser = kind(
        trained,
        lr=config.learning_rate,
        weight_decay=config.weight_decay,
        fused=True,
    )
    return Trainer(
        ranks,
        layout,
        batch,
        model,
        ranks.fabric.setup_optimizers(optimiser),
        scheduler(config, optimiser, total),
        config,
        mean,
        towers=towers,
    )
