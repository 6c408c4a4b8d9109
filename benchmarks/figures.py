"""What the benchmarks for a GPU share: options, and figures that outlive a run that is killed."""

from __future__ import annotations

import argparse
import gc
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

GIB = 2**30


def gpu_options(what: str | None) -> argparse.ArgumentParser:
    """A parser with the options that all of them have; ``what`` is the benchmark's docstring."""
    parser = argparse.ArgumentParser(description=(what or "").split("\n\n")[0])
    parser.add_argument("--device", default="cuda", type=torch.device)
    parser.add_argument("--out", type=Path, help="each figure is appended here, a line of JSON")
    parser.add_argument("--seconds", type=float, default=540, help="after which none is begun")
    return parser


class Figures:
    """Prints each figure at once, and keeps it."""

    def __init__(self, device: torch.device, out: Path | None, seconds: float) -> None:
        """From now on there are ``seconds``; those of ``out`` are kept."""
        self.device, self._out = device, out
        self._end = time.monotonic() + seconds
        if device.type == "cuda":
            torch.cuda.init()

    def take(
        self, what: str, asked: Mapping[str, Any], work: Callable[[], tuple[str, dict[str, Any]]]
    ) -> dict[str, Any]:
        """What ``work`` returns in words and as values, if there is time and memory for it."""
        if time.monotonic() > self._end:
            said, found = "left out, the time is up", {"left_out": "time"}
        else:
            said, found = self._tried(work)
        print(f"{what}: {said}", flush=True)
        if self._out is not None:
            made = {"figure": what, **asked, **found, "device": name_of(self.device)}
            with self._out.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps({**made, "torch": torch.__version__}) + "\n")
        return found

    def _tried(self, work: Callable[[], tuple[str, dict[str, Any]]]) -> tuple[str, dict[str, Any]]:
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        try:
            return work()
        except torch.OutOfMemoryError as problem:
            reason = str(problem).partition(". ")[0]
            return f"out of memory ({reason})", {"left_out": "memory"}


def name_of(device: torch.device) -> str:
    """What the device calls itself."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "the processor"


def most_memory(device: torch.device) -> dict[str, float]:
    """``gib``: the most memory of tensors on a GPU since its measurement began."""
    if device.type != "cuda":
        return {}
    return {"gib": torch.cuda.max_memory_allocated(device) / GIB}
