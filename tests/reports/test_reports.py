"""Sections, sentences and tokens of report text."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radpair.reports import Sections, body, is_empty, sections, sentences, tokens
from radpair.reports.tokens import clean

MIMIC = """                                 FINAL REPORT
 EXAMINATION:  CHEST (PA AND LAT)

 INDICATION:  ___F with cough  // eval for infection

 COMPARISON:  None.

 FINDINGS:

 There is no focal consolidation or
 pneumothorax.  Heart is normal.

 IMPRESSION:

 No acute process.
"""
LOOSE = """WET READ: ___ ___ 8:03 PM
 Mild edema.
______________________________________________________________________________
                                 FINAL REPORT
 PORTABLE CHEST

 COMPARISON:  ___.

 As compared to the previous radiograph, there is no change.

 The heart is large.

 ADDENDUM  The tube was moved.
"""


def test_mimic_report() -> None:
    found = sections(MIMIC)
    assert found.findings.startswith("There is no focal")
    assert found.findings.endswith("Heart is normal.")
    assert found.impression == "No acute process."
    assert found.other["indication"] == "___F with cough  // eval for infection"
    assert found.other["comparison"] == "None."
    assert body(MIMIC) == f"{found.findings}\n\n{found.impression}"


def test_findings_without_a_heading_follow_the_last_section() -> None:
    found = sections(LOOSE)
    assert found.findings.startswith("As compared to the previous")
    assert found.findings.endswith("The heart is large.")
    assert found.other["addendum"] == "The tube was moved."
    assert found.impression == ""
    assert found.other["wet read"].endswith("Mild edema.")
    assert found.other["comparison"] == "___."
    assert found.other["final report"] == "PORTABLE CHEST"


@pytest.mark.parametrize(
    ("text", "findings", "impression"),
    [
        ("Lungs clear.", "Lungs clear.", ""),
        ("FINDINGS: Clear. IMPRESSION: Normal.", "Clear.", "Normal."),
        ("Findings: Clear. Impression: Normal.", "Clear.", "Normal."),
        ("findings\nClear.\nimpression\nNormal.", "Clear.", "Normal."),
        ("**FINDINGS:** Clear.", "Clear.", ""),
        ("FINDINGS AND IMPRESSION: Clear.", "Clear.", ""),
        ("CHEST X-RAY\nHISTORY: cough\nIMPRESSION: Normal.", "", "Normal."),
        ("FINDINGS:\r\nClear.\r\nCONCLUSION:\r\nNormal.", "Clear.", "Normal."),
        ("LUNGS: Clear.\nHEART: Normal.", "LUNGS: Clear.\nHEART: Normal.", ""),
        ("FINDINGS: a. FINDINGS: b.", "a.\nb.", ""),
        ("No findings to suggest edema.", "No findings to suggest edema.", ""),
        ("Presentation: cough. Imaging Notes: Mass. Discussion: rare.", "Mass.", ""),
    ],
)
def test_headings(text: str, findings: str, impression: str) -> None:
    found = sections(text)
    assert (found.findings, found.impression) == (findings, impression)


def test_what_was_asked_never_becomes_what_was_seen() -> None:
    text = "INDICATION: cough and fever"
    assert sections(text) == Sections("", "", {"indication": "cough and fever"})
    assert body(text) == ""
    assert body("FINDINGS:\nIMPRESSION:\nHISTORY: pain") == ""


def test_a_wet_read_is_read_where_it_is_all_there_is() -> None:
    text = "INDICATION: pneumonia?\n\nWET READ: Small effusion.\n\nADDENDUM: The tube was moved."
    assert body(text) == "Small effusion.\n\nThe tube was moved."
    assert body(text + "\n\nIMPRESSION: No effusion.") == "No effusion.\n\nThe tube was moved."


def test_an_addendum_is_read_but_for_who_was_told() -> None:
    text = "FINDINGS: No effusion.\n\nADDENDUM: There is a nodule. Discussed with Dr. ___ by phone."
    assert body(text) == "No effusion.\n\nThere is a nodule."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1. No effusion. 2. Mild edema.", ["1. No effusion.", "2. Mild edema."]),
        ("1. No effusion 2. Mild edema", ["1. No effusion", "2. Mild edema"]),
        ("Seen by Dr. Example. Clear.", ["Seen by Dr. Example.", "Clear."]),
        ("A 4.5 cm mass. T12 is normal.", ["A 4.5 cm mass.", "T12 is normal."]),
        ("Fracture of T12. No other.", ["Fracture of T12.", "No other."]),
        ("Clear bilaterally.There is none.", ["Clear bilaterally.", "There is none."]),
        ("No effusion. no edema.", ["No effusion.", "no edema."]),
        ("The left\nlung is clear.", ["The left lung is clear."]),
        ("- No effusion\n- No edema", ["- No effusion", "- No edema"]),
        ("No effusion\nHeart normal", ["No effusion", "Heart normal"]),
        ("Any edema? None.", ["Any edema?", "None."]),
        ("Clear.. .", ["Clear.."]),
        ("Comparison is made to a study at 5 p.m. today.",
         ["Comparison is made to a study at 5 p.m. today."]),
        ("Grade 2. Next sentence.", ["Grade 2.", "Next sentence."]),
        ("", []),
    ],
)  # fmt: skip
def test_sentences(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("No right-sided effusion.", ["No", "right", "-", "sided", "effusion", "."]),
        ("4.5 cm, patient's (T12)", ["4.5", "cm", ",", "patient's", "(", "T12", ")"]),
        ("___ XXXX and/or", ["___", "XXXX", "and", "/", "or"]),
    ],
)
def test_tokens(text: str, expected: list[str]) -> None:
    assert tokens(text) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty report"),
        (" \n\x00", "empty report"),
        ("___ XXXX [**2101-1-1**], xxxx.", "only de-identification marks"),
        ("12. ___", "only de-identification marks"),
        ("12 / 4.", "no words"),
        ("Clear.", None),
        ("___ clear", None),
    ],
)
def test_reasons_for_an_empty_report(text: str, reason: str | None) -> None:
    assert is_empty(text) == reason


def test_marks_tags_and_control_characters_are_cleaned() -> None:
    assert sentences("<p>Seen by [**Last Name**]\x07 today &amp; clear.</p>") == [
        "Seen by ___ today & clear."
    ]


@given(st.text(alphabet=st.sampled_from("ab .1\n:ABNOI_-"), max_size=80) | st.text(max_size=80))
@settings(max_examples=300, deadline=None)
def test_sentences_keep_every_word(text: str) -> None:
    parts = sentences(text)
    assert all(part.strip() == part and "\n" not in part for part in parts)
    again = [w for part in parts for w in tokens(part) if w.isalnum()]
    assert again == [w for w in tokens(clean(text)) if w.isalnum()]


@given(st.text(max_size=200))
@settings(deadline=None)
def test_any_text_has_sections_and_a_body(text: str) -> None:
    found = sections(text)
    kept = " ".join([found.findings, found.impression, *found.other.values(), body(text)])
    assert set(tokens(kept)) <= set(tokens(clean(text)))
