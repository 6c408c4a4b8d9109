from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
import torch

from radpair.evaluation.fine_tune import films as room
from radpair.evaluation.fine_tune.films import Fitted, items_of, training_batches
from radpair.evaluation.fine_tune.settings import MILD
from radpair.images.augment import fit
from squares import Squares

STUDIES = np.array([1, 3, 4, 6, 9])


@pytest.mark.parametrize("every_image", [False, True])
def test_every_pass_visits_every_item_once(every_image: bool) -> None:
    squares = Squares()
    items = items_of(squares, STUDIES, every_image=every_image)
    assert len(items) == (8 if every_image else 5)
    batches = training_batches(squares, items, 32, MILD, 3, 0)
    rows = np.concatenate([rows for _, rows in islice(batches, 8)])[: 3 * len(items)]
    whole = sorted(item.row for item in items)
    for turn in range(3):
        assert sorted(rows[turn * len(items) : (turn + 1) * len(items)]) == whole
    assert not np.array_equal(rows[: len(items)], rows[len(items) : 2 * len(items)])


def test_films_do_not_depend_on_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    def drawn(threads: int) -> torch.Tensor:
        monkeypatch.setattr(room, "cpus", lambda: threads)
        squares = Squares()
        items = items_of(squares, STUDIES, every_image=False)
        batches = training_batches(squares, items, 32, MILD, 4, 7)
        return torch.cat([pixels for pixels, _ in islice(batches, 4)])

    one = drawn(1)
    assert torch.equal(one, drawn(5))
    assert not torch.equal(one[:4], one[5:9])


def test_a_batch_is_no_larger_than_the_data() -> None:
    squares = Squares()
    items = items_of(squares, STUDIES, every_image=False)
    pixels, rows = next(training_batches(squares, items, 32, MILD, 64, 0))
    assert pixels.shape == (5, 32, 32)
    assert len(rows) == 5


def test_fitted_films_are_those_of_the_studies(monkeypatch: pytest.MonkeyPatch) -> None:
    squares = Squares()
    expected = [
        (place, fit(squares.pixels(int(squares.first_image[study]) + view), 32))
        for place, study in enumerate(STUDIES)
        for view in range(squares.image_count[study])
    ]
    for limit in (1 << 20, 0):
        monkeypatch.setattr(room, "KEPT_BYTES", limit)
        fitted = Fitted(squares, STUDIES, 32)
        assert fitted.owner.tolist() == [place for place, _ in expected]
        for _ in range(2):
            found = torch.cat(list(fitted.batches(3))).numpy()
            assert np.array_equal(found, np.stack([film for _, film in expected]))
