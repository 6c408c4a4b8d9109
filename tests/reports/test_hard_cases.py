"""Reports as hospitals write them: layouts, marks, lists, and input that is no report at all."""

from __future__ import annotations

import sys

import pytest

from radpair.reports import body, is_empty, read, sections, sentences

WET_THEN_FINAL = """WET READ: ___ ___ ___ 8:03 PM
  No acute process. No pneumothorax.
______________________________________________________________________________
                                 FINAL REPORT
 INDICATION:  ___ year old woman with fall, pneumothorax?

 FINDINGS:  Tube ends 4.5 cm above the carina.  Small
 left effusion (1.2 x 0.8 cm).

 IMPRESSION:

 1.  No pneumothorax.
 2.  T12 compression, unchanged since ___ at 8 a.m.

                                  ADDENDUM

 Dr. ___ was told by phone at 3:15 p.m.
"""
CHEXPERT_PLUS = """EXAMINATION: XR CHEST 1 VIEW 1/2/2003

CLINICAL HISTORY: 60 years of age, cough.

NARRATIVE:
Single view. Small effusion.

IMPRESSION:
1.Small effusion.
2.No edema. 3.Stable line.
"""
OPEN_I = (
    "COMPARISON: XXXX, XXXX.\n\nINDICATION: XXXX-year-old with pneumonia\n\n"
    "FINDINGS: Heart size XXXX normal.No effusion.\n\nIMPRESSION: 1. No acute disease."
)
NOTE = "Admitted with fever [**2101-1-1**]. Small effusion. No pneumothorax.\nImpression: CHF."


@pytest.mark.parametrize(
    ("text", "read_as", "left_out"),
    [
        (
            WET_THEN_FINAL,
            [
                "Tube ends 4.5 cm above the carina.",
                "Small left effusion (1.2 x 0.8 cm).",
                "1. No pneumothorax.",
                "2. T12 compression, unchanged since ___ at 8 a.m.",
            ],
            {"wet read", "indication", "addendum"},
        ),
        (
            CHEXPERT_PLUS,
            [
                "Single view.",
                "Small effusion.",
                "1.Small effusion.",
                "2.No edema.",
                "3.Stable line.",
            ],
            {"examination", "history"},
        ),
        (
            OPEN_I,
            ["Heart size XXXX normal.", "No effusion.", "1. No acute disease."],
            {"comparison", "indication"},
        ),
        (
            NOTE,
            ["Admitted with fever ___.", "Small effusion.", "No pneumothorax.", "CHF."],
            set(),
        ),
        (
            "CHEST PA\n\nThe lungs are clear.\n\nIMPRESSION: Normal.",
            ["CHEST PA", "The lungs are clear.", "Normal."],
            set(),
        ),
        ("CHEST, TWO VIEWS.\nIMPRESSION: Normal.", ["Normal."], {"preamble"}),
        ("Two views of the chest\nFINDINGS: Clear.", ["Clear."], {"preamble"}),
        (
            "CLINICAL HISTORY: cough FINDINGS: clear lungs IMPRESSION: no acute disease",
            ["clear lungs", "no acute disease"],
            {"history"},
        ),
        (
            "REASON FOR EXAMINATION: Follow-up.\n\n PA and lateral. The lungs are clear.\n",
            ["PA and lateral.", "The lungs are clear."],
            {"indication"},
        ),
        ("Findings: Clear. Conclusions: normal.", ["Clear.", "normal."], set()),
        ("HISTORY - cough\nFINDINGS -- clear\nIMPRESSION \u2013 normal", ["clear", "normal"],
         {"history"}),
        ("## Findings\nclear\n## Impression\nnormal", ["clear", "normal"], set()),
        (
            "<html><h1>HISTORY</h1><p class='a'>cough</p><h1>FINDINGS</h1><p>Lungs clear.</p>"
            "<br/>IMPRESSION:<br>Heart &lt; 15 cm.</html>",
            ["Lungs clear.", "Heart < 15 cm."],
            {"history"},
        ),
    ],
)  # fmt: skip
def test_layouts(text: str, read_as: list[str], left_out: set[str]) -> None:
    reading = read(text)
    assert sentences(reading.body) == read_as
    assert set(reading.left_out) == left_out


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Tip is 5.2cm above the carina.No effusion.Heart 12.5 mm.",
         ["Tip is 5.2cm above the carina.", "No effusion.", "Heart 12.5 mm."]),
        ("No change vs. prior, approx. 2.5 x 1.5 cm. Seen at T12/L1.",
         ["No change vs. prior, approx. 2.5 x 1.5 cm.", "Seen at T12/L1."]),
        ("Fracture of L1. T12 is intact. C7 too.",
         ["Fracture of L1.", "T12 is intact.", "C7 too."]),
        ("Seen by Dr. ___ at 5 p.m. on ___. Clear.",
         ["Seen by Dr. ___ at 5 p.m. on ___.", "Clear."]),
        ("Discussed with Dr. Example, M.D. Clear.", ["Discussed with Dr. Example, M.D.", "Clear."]),
        ("XXXX XXXX. XXXX effusion.", ["XXXX XXXX.", "XXXX effusion."]),
        ("Measures 3.5 cm (previously 2.1 cm). Stable.",
         ["Measures 3.5 cm (previously 2.1 cm).", "Stable."]),
        ("1. Lungs\n   a. Clear\n   b. A nodule, 4 mm\n      i. Stable\n      ii. Benign\n2. End",
         ["1. Lungs", "a. Clear", "b. A nodule, 4 mm", "i. Stable", "ii. Benign", "2. End"]),
        ("\u2022 No effusion\n\u2022 no edema\n* clear",
         ["\u2022 No effusion", "\u2022 no edema", "* clear"]),
        ("1) No effusion 2) No edema", ["1) No effusion", "2) No edema"]),
        ("Kein Erguss. Herz normal groß.", ["Kein Erguss.", "Herz normal groß."]),
        ("Sin derrame pleural.\nÍndice cardíaco normal.",
         ["Sin derrame pleural.", "Índice cardíaco normal."]),
        ("右肺に結節影。胸水なし。", ["右肺に結節影。胸水なし。"]),
    ],
)  # fmt: skip
def test_where_sentences_end(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


@pytest.mark.parametrize(
    "text",
    ["&#" + "1" * 5000 + ";", "\x00\x01\x02", "<" * 5000, "\ufffd" * 10, "[**" * 500, "\u202e."],
)
def test_input_that_is_no_report_is_read_without_a_crash(text: str) -> None:
    reading = read(text)
    assert sentences(text) is not None
    assert reading.left_out == {}
    assert sections(text).impression == ""
    assert reading.reason == is_empty(text)


UNITS = [
    "1. Small effusion. ",
    "no effusion, no edema and ",
    "\n   - nested item",
    "\na. b\n",
    "FINDINGS: clear. ",
    "\n\nINDICATION: x\n\ny",
    "<p>clear</p>",
    "&amp;",
    "[**x**] ",
    "___ ",
]


@pytest.mark.parametrize("unit", UNITS, ids=repr)
def test_steps_grow_with_the_length(unit: str) -> None:
    short, long = _steps(unit * 200), _steps(unit * 800)
    assert long < 4.6 * short + 400


@pytest.mark.parametrize(
    "text",
    [
        "." * 1_000_000 + "a",
        "\n " * 500_000 + "x",
        "_" * 1_000_000 + "x",
        "FINDINGS" + " " * 1_000_000 + "x",
        "<p " * 340_000,
        "".join("\n" + " " * (depth % 300) + "- x" for depth in range(6000)),
    ],
    ids=["stops", "blank lines", "rule", "heading", "tags", "nested list"],
)
def test_a_megabyte_of_one_thing_comes_to_an_end(text: str) -> None:
    """Each of these would take hours if any pattern looked back over what it had seen."""
    assert body(text).split() == read(text).body.split()
    assert sentences(text)


def _steps(text: str) -> int:
    """Lines and calls of Python that reading and splitting take."""
    events = 0

    def count(frame: object, event: str, argument: object) -> object:
        nonlocal events
        events += 1
        return count

    before = sys.gettrace()
    sys.settrace(count)  # type: ignore[arg-type]
    try:
        sentences(read(text).body)
    finally:
        sys.settrace(before)
    return events
