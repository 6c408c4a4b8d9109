"""What a report's reading leaves out is counted, and nothing is lost without a count."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radpair.reports import body, read, tokens
from radpair.reports.reading import WHY, Account, words
from radpair.reports.sections import _NAMES
from radpair.reports.tokens import clean

REPORT = """CHEST PA
INDICATION: 45F with cough, pneumonia?
COMPARISON: None.
FINDINGS: No effusion.
IMPRESSION: Normal.
"""


def test_a_reading_counts_the_words_of_every_other_section() -> None:
    reading = read(REPORT)
    assert reading.body == body(REPORT) == "No effusion.\n\nNormal."
    assert reading.left_out == {"preamble": 2, "indication": 4, "comparison": 1}
    assert reading.reason is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty report"),
        ("FINDINGS: ___", "only de-identification marks"),
        ("___ XXXX", "only de-identification marks"),
        ("INDICATION: cough", "only what was asked or done"),
        ("INDICATION: cough\nIMPRESSION: 4.5", "no words"),
    ],
)
def test_a_report_without_text_has_a_reason(text: str, reason: str) -> None:
    assert read(text).reason == reason


def account(texts: list[str]) -> Account:
    total = Account()
    for text in texts:
        total.add(read(text))
    return total


def test_totals_over_reports_are_lines_and_json() -> None:
    total = account([REPORT, REPORT, "Lungs clear.", "", "INDICATION: a.\nFINDINGS: b."])
    assert total.lines() == [
        "left out: indication in 3 reports, 9 words (what was asked, not what was seen)",
        "left out: preamble in 2 reports, 4 words "
        "(stands before the first heading, mostly a title)",
        "left out: comparison in 2 reports, 2 words (names earlier studies)",
        "without text: 1 report (empty report)",
    ]
    found = total.as_json()
    assert (found["reports"], found["words_read"]) == (5, 3 + 3 + 2 + 1)
    assert found["left_out"]["comparison"] == {
        "reports": 2,
        "words": 2,
        "why": "names earlier studies",
    }
    halves = account([REPORT])
    halves.merge(account([REPORT, "Lungs clear.", "", "INDICATION: a.\nFINDINGS: b."]))
    assert halves == total
    assert Account().lines() == []


def test_every_section_says_why_it_is_left_out() -> None:
    assert set(WHY) == {*_NAMES, "preamble"} - {"findings", "impression"}


HEADED = st.lists(
    st.sampled_from(["FINDINGS:", "IMPRESSION:", "INDICATION:", "ADDENDUM", "WET READ:", "\n"])
    | st.sampled_from(["clear", "lungs.", "T12", "4.5", "\n\n", "FINAL REPORT\n", "comparison:"]),
    max_size=30,
).map(" ".join)


@given(HEADED | st.text(max_size=120))
@settings(max_examples=300, deadline=None)
def test_every_word_is_read_or_counted_or_a_heading(text: str) -> None:
    reading = read(text)
    assert reading.body == body(text)
    if reading.left_out:
        whole, kept = _words(clean(text)), _words(reading.body)
        assert not kept - whole
        lost = (whole - kept).total() - sum(reading.left_out.values())
        headings = {"findings", "impression", "indication", "comparison", "final", "report"}
        headings |= {"addendum", "wet", "read"}
        assert 0 <= lost <= sum(n for w, n in whole.items() if w.lower() in headings)


def _words(text: str) -> Counter[str]:
    found = Counter(token for token in tokens(text) if token[0].isalnum() or token[0] == "_")
    assert found.total() == words(text)
    return found
