"""Blocks of rows worked on by Python threads, each with BLAS of a single thread.

BLAS's own threads meet after every product and wait there by spinning: where other work has the
cores, that costs several times the product. Threads that take blocks never wait for each other,
and a block stays in the cache while it is read more than once. Sums over blocks are taken in the
blocks' order, so the number of threads changes no result.

The number of BLAS threads is set once around many passes: a thread that it wakes spins, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import TypeVar

from threadpoolctl import ThreadpoolController

ROWS = 2048
"""Rows of a block: with 768 float32 values each, 6 MB."""
Found = TypeVar("Found")
_pool: ContextVar[ThreadPoolExecutor | None] = ContextVar("row_threads", default=None)


@contextmanager
def row_threads() -> Iterator[None]:
    """Inside, BLAS keeps to one thread and ``over_blocks`` has as many as BLAS had before."""
    pools = _blas()
    threads = max((int(pool["num_threads"]) for pool in pools.info()), default=1)
    if threads < 2:
        yield
        return
    with pools.limit(limits=1), ThreadPoolExecutor(threads) as pool:
        token = _pool.set(pool)
        try:
            yield
        finally:
            _pool.reset(token)


def over_blocks(work: Callable[[slice], Found], rows: int) -> Iterator[Found]:
    """``work`` on every block of ``rows``, in order; on the threads of ``row_threads``, if any."""
    blocks = [slice(first, min(first + ROWS, rows)) for first in range(0, rows, ROWS)]
    pool = _pool.get()
    if pool is None or len(blocks) < 2:
        return map(work, blocks)
    return pool.map(work, blocks)


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController().select(user_api="blas")
