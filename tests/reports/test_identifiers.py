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
    ("Dr. Müller dictated", "name", "Müller"),
    ("Dictated by Dr. Jürgen Weiß", "name", "Jürgen Weiß"),
    ("Seen with Dr. Özil.", "name", "Özil"),
    ("Dr. Mu\u0308ller saw it", "name", "Mu\u0308ller"),
    ("DR. MÜLLER-LÜDENSCHEIDT", "name", "MÜLLER-LÜDENSCHEIDT"),
    ("Discussed with Dr.\n Smith today", "name", "Smith"),
    ("Dr. van den Berg", "name", "van den Berg"),
    ("DR SMITH NOTIFIED", "name", "SMITH"),
    ("Patient: Schmidt, Anna. Normal.", "name", "Schmidt, Anna"),
    ("Diktiert von Dr. med. Hans Weber.", "name", "Hans Weber"),
    ("Herr Meier hustet.", "name", "Meier"),
    ("Firmado por Dra. Núñez.", "name", "Núñez"),
    ("Mail h.weber@klinik.example today", "e-mail address", "h.weber@klinik.example"),
    ("12-MAR-2021", "date", "12-MAR-2021"),
    ("Mar-12-2021", "date", "Mar-12-2021"),
    ("Vom 12. März 2021.", "date", "12. März 2021"),
    ("el 3 de marzo de 2021", "date", "3 de marzo de 2021"),
    ("le 1er février 2021", "date", "1er février 2021"),
    ("taken 20210304 and", "date", "20210304"),
    ("Vgl. 2021-03-04T10:00:00.", "date", "2021-03-04"),
    ("seit 2021-03 besser", "date", "2021-03"),
    ("CT on March 14 shows", "date", "on March 14"),
    ("Voraufnahme vom 12.03. im", "date", "vom 12.03."),
    ("MRN: 20210304", "record number", "MRN: 20210304"),
    ("20214304", "record number", "20214304"),
    ("Pat.-Nr. 4711", "record number", "Pat.-Nr. 4711"),
    ("Tel. 0711/123456", "telephone", "Tel. 0711/123456"),
]

NOTHING = [
    "Patient: stable. Patient is male. Patient position: Supine Portable.",
    "Tube size 7.5, 3/4 of 5/6. On 2 views; in May 3 nodules. Frau; Doktor; Fr. 12 Katheter.",
    "Mar 3 rd rib? Levels 2.3.4, images 12-14, series 3/4, 20-30 mm, 2019-2020.",
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
