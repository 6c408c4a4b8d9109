from __future__ import annotations

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from radpair.evaluation.blocks import ROWS, over_blocks, row_threads


def blas_threads() -> set[int]:
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


def ends(rows: slice) -> tuple[int, int]:
    return rows.start, rows.stop


@pytest.mark.parametrize("threads", [1, 2])
def test_blocks_cover_all_rows_in_order(threads: int) -> None:
    expected = [(0, ROWS), (ROWS, 2 * ROWS), (2 * ROWS, 2 * ROWS + 1)]
    with threadpool_limits(threads), row_threads():
        assert list(over_blocks(ends, 2 * ROWS + 1)) == expected
        assert list(over_blocks(ends, 3)) == [(0, 3)]
        assert list(over_blocks(ends, 0)) == []
    assert list(over_blocks(ends, 2 * ROWS + 1)) == expected


def test_row_threads_take_the_threads_of_blas_and_give_them_back() -> None:
    @row_threads()
    def broken() -> None:
        assert blas_threads() <= {1}
        list(over_blocks(lambda rows: 1 / (rows.start - ROWS), 3 * ROWS))

    with threadpool_limits(2):
        before = blas_threads()
        with pytest.raises(ZeroDivisionError):
            broken()
        assert blas_threads() == before
