"""What HTML hides from a reader is no text of a report."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radpair.graphs import extract
from radpair.reports.tokens import _hidden_spans, clean

HIDDEN = {
    "script": "<script>var edema = 'large edema';</script>",
    "with attributes": "<SCRIPT type='text/javascript'\n src=\"x\">if (a<b) edema()</Script >",
    "style": "<style>.edema { color: red }</style>",
    "comment": "<!-- edema -->",
    "a comment in a script": "<script><!-- edema --></script>",
    "a tag in a comment": "<!-- <script> edema -->",
    "a script in a script": "<script>document.write('<script>edema')</script>",
}


@pytest.mark.parametrize("case", HIDDEN)
def test_what_html_hides_is_not_read(case: str) -> None:
    text = f"<html>{HIDDEN[case]}<p>No effusion.</p>{HIDDEN[case]}<p>No mass.</p></html>"
    assert clean(text).split() == ["No", "effusion.", "No", "mass."]
    assert [entity.text for entity in extract(text).entities] == ["effusion", "mass"]


KEPT = [
    "<script> edema",
    "edema </script> clear",
    "<script src='x'/> edema <b>clear</b>",
    "PA --> lateral <!-- edema",
    "<scripts>edema</scripts>",
]


@pytest.mark.parametrize("text", KEPT)
def test_what_is_not_closed_hides_nothing(text: str) -> None:
    assert "edema" in clean(text)


def test_open_tags_without_end_take_one_pass() -> None:
    for piece in ("<script>", "<script", "<!--", "<style a=1 ", "</script>"):
        text = piece * 100_000
        assert _hidden_spans(text) == []


@given(st.lists(st.sampled_from(["<script>", "</script>", "<!--", "-->", "<style>", "a", " "])))
@settings(deadline=None)
def test_spans_are_in_order_and_apart(parts: list[str]) -> None:
    text = "".join(parts)
    spans = _hidden_spans(text)
    flat = [at for span in spans for at in span]
    assert flat == sorted(flat)
    assert all(start < stop <= len(text) for start, stop in spans)
