"""Which workers of a Dask cluster answer, and what they have.

A worker that hangs, or whose machine does, keeps its place with the scheduler for minutes, and a
question to all workers waits for it without end. So each is asked by itself, for a time.
"""

from __future__ import annotations

import asyncio
import pydoc
import sys
from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from distributed import Client

SILENT = "silent"
"""In place of an answer."""


def versions_of(client: Client, workers: Collection[str], seconds: float) -> dict[str, object]:
    """The version of radpair of each worker, or ``SILENT``; other things where it has none.

    It is looked up by a function of Python itself. Raises ``OSError`` where the scheduler, too,
    is silent.
    """

    async def ask(worker: str) -> object:
        """Its answer is an ``OSError`` where it cannot be reached."""
        question = client.run(
            pydoc.locate, "radpair.__version__", workers=[worker], on_error="return"
        )
        try:
            found = (await asyncio.wait_for(question, seconds)).get(worker)
        except TimeoutError:
            return SILENT
        return SILENT if isinstance(found, OSError) else found

    async def ask_all() -> list[object]:
        """The answers of all, in their order."""
        return await asyncio.gather(*map(ask, workers))

    return dict(zip(workers, client.sync(ask_all), strict=True))


def held_by(client: Client, workers: Collection[str]) -> set[str]:
    """The keys of the tasks that the scheduler gave to these, done or not."""
    tables = (client.processing(), client.has_what())
    return {str(key) for table in tables for worker in workers for key in table.get(worker, ())}


def who_holds(client: Client, key: str) -> str:
    """The worker that a task was given to."""
    for worker, keys in client.processing().items():
        if key in map(str, keys):
            return str(worker)
    return "not yet known"


def say(words: str) -> None:
    """One line to who waits; progress has the same stream."""
    print(f"radpair: {words}", file=sys.stderr, flush=True)
