"""The processes of one run: who they are, and what they tell each other."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import torch
from torch import Tensor

from radpair.errors import RunError
from radpair.pretraining.stopping import Asked
from radpair.processes import interruptible, leave, place

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Layout:
    """How a batch is cut: into shards, and those into one run of shards a process.

    Whatever depends on who is together in a forward pass (the statistics of batch normalisation,
    the random numbers of dropout, padding) belongs to a shard. The shards of a run never change,
    so neither do its weights, beyond rounding, when the number of processes does.
    """

    shards: int
    world: int = 1

    def bounds(self, batch: int) -> list[int]:
        """Where the shards of ``batch`` studies begin and end, ``[shards + 1]``."""
        return [batch * shard // self.shards for shard in range(self.shards + 1)]

    def shards_of(self, rank: int) -> range:
        """The shards of one process."""
        return range(rank * self.shards // self.world, (rank + 1) * self.shards // self.world)

    def rows_of(self, rank: int, batch: int) -> tuple[int, int]:
        """The first and the last row plus one of one process."""
        own, bounds = self.shards_of(rank), self.bounds(batch)
        return bounds[own.start], bounds[own.stop]

    @property
    def cached(self) -> bool:
        """Whether some process has several shards: then all encode twice, in step with it."""
        return self.shards > self.world

    def check(self, batch: int) -> None:
        """Raises ``RunError`` where a process or a shard would have nothing to do."""
        if self.world > self.shards:
            raise RunError(
                f"{self.world} processes for a run of {self.shards} shards: each needs one; start "
                f"{self.shards} processes, or a new run with training.shards of {self.world} or "
                "more"
            )
        if 2 * self.shards > batch:
            raise RunError(
                f"training.shards is {self.shards} for {batch} studies a step: a shard needs two; "
                "raise training.batch, or start fewer processes or shards"
            )


class Ranks:
    """The processes of a run as one of them sees them; alone, everything is a matter of course."""

    def __init__(self, fabric: Any, *, sharded: bool = False) -> None:
        """``sharded``: each process has only its part of the weights (``pretraining.sharded``)."""
        self.fabric, self.sharded = fabric, sharded
        self.rank, self.world = int(fabric.global_rank), int(fabric.world_size)

    @property
    def first(self) -> bool:
        """Whether this process is the one that writes and speaks."""
        return self.rank == 0

    def gather(self, rows: Tensor, counts: Sequence[int]) -> Tensor:
        """The rows of all processes, in their order; ``counts [world]`` says how many each has."""
        if self.world == 1:
            return rows
        padded = rows.new_zeros(max(counts), *rows.shape[1:])
        padded[: len(rows)] = rows
        found = [torch.empty_like(padded) for _ in counts]
        torch.distributed.all_gather(found, padded.contiguous())
        return torch.cat([part[:count] for part, count in zip(found, counts, strict=True)])

    def total(self, tensor: Tensor) -> Tensor:
        """The sum of ``tensor`` over the processes."""
        if self.world == 1:
            return tensor
        summed: Tensor = self.fabric.all_reduce(tensor, reduce_op="sum")
        return summed

    def wait(self) -> None:
        """Until every process is here."""
        self.fabric.barrier()

    def first_does(self, action: Callable[[], Answer]) -> Answer:
        """What ``action`` gives the first process; what it cannot do stops the others with it."""
        problem: Exception | None = None
        answer: Any = None
        if self.first:
            try:
                answer = action()
            except Exception as found:
                problem = found
        if self.world > 1:
            told = problem and (str(problem) or repr(problem)), answer
            message, answer = self.fabric.broadcast(told)
            if message is not None and not self.first:
                raise ToldError(message)
        if problem:
            raise problem
        given: Answer = answer
        return given

    def agree(self, value: int | str, what: str) -> None:
        """Raises ``RunError`` where this process has another ``value`` than the first."""
        first = self.fabric.broadcast(value) if self.world > 1 else value
        if value != first:
            raise RunError(
                f"process {self.rank} has {what} {value}, the first has {first}; start all with "
                "the same command, and let all see the same files"
            )


@contextmanager
def together(stop: Asked, *, several: bool) -> Iterator[None]:
    """The processes of a run end together, whichever meets what: none waits for one that is gone.

    ``stop`` says whether a first signal is only noted. What all meet, the first says; it ends the
    others while they keep silent. Raises ``RunError`` where another ended while this one waited
    for it.
    """
    if not several:
        yield
        return
    try:
        with interruptible(lambda: stop.noting):
            yield
    except KeyboardInterrupt:
        if place():
            time.sleep(YIELDING)
        raise
    except Exception as problem:
        sys.excepthook = partial(_leave_after, sys.excepthook)
        if isinstance(problem, torch.distributed.DistError) or "gloo" in str(problem):
            time.sleep(PATIENCE)
            raise RunError(
                "another process of the run has ended before its work was done; mend what it "
                "says, and give the same command again, it continues"
            ) from problem
        if place() and not isinstance(problem, ToldError):
            time.sleep(YIELDING)
        raise


def _leave_after(shown: Callable[..., None], *problem: Any) -> None:
    """The hook of one of several processes; it stays, for there is no run left to work for."""
    shown(*problem)
    leave(1)


def part() -> None:
    """Ends this process well where it was one of several, without the interpreter's own end.

    A thread of torch may still hold what the last message was made of, and would abort the process
    where Python is taken down beneath it.
    """
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        leave(0)


YIELDING = 2
"""Seconds in which the first process speaks and ends the others, where all have met the same."""
PATIENCE = 5
"""Seconds in which a launcher sees that a process has ended, and ends the others with it."""
FABRIC_RUN = ("cli_used", "accelerator", "strategy", "devices", "num_nodes", "precision")
"""What ``fabric run`` leaves in variables that begin with LT_."""
SAME_TO_FABRIC = {"gpu": "cuda", "32": "32-true", "16": "16-mixed", "bf16": "bf16-mixed"}


class ToldError(RunError):
    """What the first process says already."""

    told = True


def processes_here(devices: int) -> int:
    """The processes on this machine: those that a launcher started, else ``devices``."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", devices))


def machines(nodes: int) -> int:
    """The machines of the run: as torchrun says, else ``nodes``."""
    return int(os.environ.get("GROUP_WORLD_SIZE", nodes))


def world_size(devices: int, nodes: int) -> int:
    """The processes of the run: as a launcher says, else as asked for."""
    return int(os.environ.get("WORLD_SIZE", processes_here(devices) * nodes))


def check_processes(devices: int, nodes: int) -> None:
    """Raises ``RunError`` where processes are asked for that nobody starts, or the other way."""
    for name, value in (("--devices", devices), ("--nodes", nodes)):
        if value < 1:
            raise RunError(f"{name} is {value}; it must be at least 1")
    if "LOCAL_WORLD_SIZE" in os.environ:
        _check_torchrun(devices, nodes)
    if nodes > 1 and not {"WORLD_SIZE", "SLURM_PROCID", "NODE_RANK"} & os.environ.keys():
        raise RunError(
            f"--nodes {nodes}: no launcher started the processes of the other machines; start this "
            "command on each by torchrun or srun (docs/distributed.md)"
        )
    tasks = _slurm_tasks()
    if tasks > 1 and tasks != devices * nodes:
        raise RunError(
            f"SLURM started {tasks} processes, and --devices {devices} --nodes {nodes} speak of "
            f"{devices * nodes}; give the tasks of a node as --devices and the nodes as --nodes"
        )


def _check_torchrun(devices: int, nodes: int) -> None:
    here, across, world = processes_here(devices), machines(nodes), world_size(devices, nodes)
    if here * across != world:
        raise RunError(
            f"the launcher started {here} of {world} processes on this machine; start equally many "
            "on each"
        )
    for option, given, started in (("--devices", devices, here), ("--nodes", nodes, across)):
        if given not in (1, started):
            raise RunError(
                f"{option} {given} beside a launcher that started {started}; leave {option} out, "
                "the launcher decides"
            )


def leave_fabric_run(device: str, strategy: str, precision: str) -> None:
    """Forgets what ``fabric run`` set beside torchrun's variables, which say all that is needed.

    Raises ``RunError`` where it was told otherwise than radpair, of which Fabric would understand
    but a part.
    """
    told = {name: os.environ.pop(f"LT_{name.upper()}", "") for name in FABRIC_RUN}
    own = {
        "accelerator": ("--device", device),
        "strategy": ("--strategy", strategy),
        "precision": ("training.precision", precision),
    }
    for name, (option, value) in own.items():
        if SAME_TO_FABRIC.get(told[name], told[name]) not in ("", "auto", value):
            raise RunError(
                f"fabric run has --{name} {told[name]}, and radpair's {option} is {value}; make "
                "them agree, with fabric run's options before -- and radpair's after it"
            )
    if "," in told["devices"]:
        raise RunError(
            f"fabric run --devices {told['devices']} names devices; give their number, and which "
            "they are in the variable CUDA_VISIBLE_DEVICES"
        )


def _slurm_tasks() -> int:
    """The processes that ``srun`` started, 0 where it started none or torchrun did."""
    by_hand = os.environ.get("SLURM_JOB_NAME") in ("bash", "interactive")
    if by_hand or "SLURM_PROCID" not in os.environ or "LOCAL_WORLD_SIZE" in os.environ:
        return 0
    return int(os.environ.get("SLURM_STEP_NUM_TASKS", os.environ.get("SLURM_NTASKS", 0)))
