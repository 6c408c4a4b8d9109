"""What is no text is refused in one sentence, not read as letters."""

from __future__ import annotations

import pytest

from radpair.errors import GraphError
from radpair.graphs import extract, extract_many


@pytest.mark.parametrize("value", [None, float("nan"), 3, b"No effusion.", ["No effusion."]])
def test_a_report_is_text(value: object) -> None:
    with pytest.raises(GraphError, match=rf"must be text, not {type(value).__name__}"):
        extract(value)  # type: ignore[arg-type]


@pytest.mark.parametrize("processes", [1, 2])
def test_one_text_is_not_many_reports(processes: int) -> None:
    with pytest.raises(GraphError, match="One text where many are taken"):
        list(extract_many("No effusion.", processes))


@pytest.mark.parametrize("processes", [1, 2])
def test_which_of_many_is_no_text_is_told(processes: int) -> None:
    with pytest.raises(GraphError, match=r"reports\[1\] must be text, not NoneType"):
        list(extract_many(["No effusion.", None], processes))  # type: ignore[list-item]
