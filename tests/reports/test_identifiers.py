"""Forms that name somebody are found where they stand; measures, doses and marks are not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radpair.reports.identifiers import KINDS, identifiers

FOUND = [
    ("Findings were discussed with Dr. Okafor at 3 pm.", "name", "Okafor"),
    ("Seen by Dr. J. van", "name", None),
    ("DICTATED BY: LINDQVIST, MARA", "name", "LINDQVIST, MARA"),
    ("Mrs. O'Brien-Smith has a cough.", "name", "O'Brien-Smith"),
    ("Read by Tomas R. Berg, M.D.", "name", "Tomas R. Berg"),
    ("Compared to 03/14/2019.", "date", "03/14/2019"),
    ("Prior of 2019-03-14, unchanged.", "date", "2019-03-14"),
    ("Voraufnahme vom 14.03.2019.", "date", "14.03.2019"),
    ("Film of March 14th, 2019 is", "date", "March 14th, 2019"),
    ("on 14 mar 2019", "date", "14 mar 2019"),
    ("since December 2018", "date", "December 2018"),
    ("CT from 3/14 shows", "date", "from 3/14"),
    ("Call (617) 555-0123.", "telephone", "(617) 555-0123"),
    ("Call 617-555-0123 now", "telephone", "617-555-0123"),
    ("Tel. +44 20 7946 0123", "telephone", "+44 20 7946 0123"),
    ("pager #31337", "telephone", "pager #31337"),
    ("MRN: 4471122", "record number", "MRN: 4471122"),
    ("Accession number RX-20331", "record number", "Accession number RX-20331"),
    ("(123456789)", "record number", "123456789"),
    ("SSN 078-05-1120", "record number", "SSN 078-05-1120"),
    ("078-05-1120", "record number", "078-05-1120"),
    ("UID 1.2.840.113619.2.55.3", "record number", "1.2.840.113619.2.55.3"),
]

NOTHING = [
    "No acute disease. Heart size 12.5 x 3.4 cm, T5-T6, 3/4 ribs, 10-15 mm.",
    "Comparison: XXXX, XXXX. Dr. XXXX was called at 555 pm.",
    "Discussed with Dr. ___ on ___ at 10:15 by phone, 5 minutes after discovery.",
    "[**Name**] was seen on [**2101-1-1**]."[:27],
    "Discussed with the referring physician. Reviewed by the attending radiologist.",
    "In May the patient may 3 times; name unknown; records reviewed.",
    "ET tube 4.2 cm above the carina. 1,234,567 counts. 0.1234567 mSv.",
    "Grade 3 of 5; L1-L2; 2 views; 14 days ago; 2019 guidelines.",
    "Chart reviewed. Accession pending. Phone call made. Acc to history.",
]


@pytest.mark.parametrize(("text", "kind", "words"), FOUND)
def test_each_form(text: str, kind: str, words: str | None) -> None:
    found = [(one.kind, text[one.start : one.end]) for one in identifiers(text)]
    assert found == ([(kind, words)] if words else [])


@pytest.mark.parametrize("text", NOTHING)
def test_what_is_none(text: str) -> None:
    assert identifiers(text) == []


@given(st.lists(st.sampled_from([text for text, _, words in FOUND if words]), max_size=5))
def test_sentences_one_after_another_are_found_each(texts: list[str]) -> None:
    whole = "\n\n".join(texts)
    expected = []
    start = 0
    for text in texts:
        expected += [(one.kind, start + one.start, start + one.end) for one in identifiers(text)]
        start += len(text) + 2
    assert [(one.kind, one.start, one.end) for one in identifiers(whole)] == expected


@given(st.text(alphabet="0123456789./-+() XabcDMR:#,\n", max_size=60))
def test_spans_lie_inside_any_text(text: str) -> None:
    for one in identifiers(text):
        assert one.kind in KINDS
        assert 0 <= one.start < one.end <= len(text)
