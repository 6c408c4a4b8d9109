"""The live line: what is done, and how long the rest takes."""

from __future__ import annotations

import pytest

from radpair import progress


class Hands:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Hands:
    hands = Hands()
    monkeypatch.setattr(progress, "time", hands)
    return hands


def lines_of(
    clock: Hands, capsys: pytest.CaptureFixture[str], total: int, reports: list[tuple[int, float]]
) -> list[str]:
    with progress.track("work", total) as show:
        for done, seconds in reports:
            clock.seconds += seconds
            show(done, "note")
    return capsys.readouterr().err.splitlines()


def test_a_line_every_ten_seconds_and_one_at_the_end(
    clock: Hands, capsys: pytest.CaptureFixture[str]
) -> None:
    found = lines_of(clock, capsys, 40, [(n, 2) for n in range(1, 41)])
    assert found[0] == "work: 5/40  10 s, 1 min left  note"
    assert found[-2] == "work: 35/40  70 s, 10 s left  note"
    assert found[-1] == "work: 40/40  80 s  note"
    assert len(found) == 8


def test_time_left_does_not_count_what_an_earlier_process_did(
    clock: Hands, capsys: pytest.CaptureFixture[str]
) -> None:
    """Resumed at 9,000 of 10,000; a step takes 20 s: 998 are left after the second."""
    found = lines_of(clock, capsys, 10_000, [(9_001, 20), (9_002, 20)])
    assert found[0] == "work: 9001/10000  20 s  note"
    assert found[1] == "work: 9002/10000  40 s, 5 h 32 min left  note"


def test_no_time_left_without_a_total(clock: Hands, capsys: pytest.CaptureFixture[str]) -> None:
    assert lines_of(clock, capsys, 0, [(5, 11), (9, 11)])[1] == "work: 9  22 s  note"


def test_the_bar_has_room_for_everything_on_a_narrow_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    note = "loss 3.471  accuracy 3%  48 studies/s  retrieval R@10 12% (epoch 3)"
    with progress._bar("pretrain convirt-small", 2000) as show:
        show(1006, note)
    shown = capsys.readouterr().err
    assert "pretrain convirt-small" in shown
    assert "1006/2000 --:--" in shown
    assert note in shown
