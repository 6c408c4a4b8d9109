from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest

from radpair.errors import EvaluationError
from radpair.evaluation.linear import linear_probe
from radpair.evaluation.report import Sample, write_page
from radpair.evaluation.report.marks import Scale, round_step
from radpair.evaluation.report.page import render
from radpair.evaluation.report.samples import marked_text, png_uri, sample_figures, unwrapped
from radpair.evaluation.report.tables import over_draws
from radpair.evaluation.retrieval import retrieval
from radpair.evaluation.zero_shot import PromptCodes, zero_shot
from radpair.graphs.schema import ABSENT, ANATOMY, PRESENT
from radpair.records import Entity, Graph

NAMES = ["Edema", "Mass <b>", "Nodule"]
EVIL = '"><script>alert(1)</script>'
VOID = {"meta", "img", "br"}


class Tags(HTMLParser):
    """Checks that every element closes and collects what was met."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.met: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag, attrs) -> None:
        self.met.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs) -> None:
        self.met.append((tag, dict(attrs)))

    def handle_endtag(self, tag) -> None:
        assert self.open.pop() == tag


def read(page: str) -> Tags:
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    return tags


@pytest.fixture(scope="module")
def results():
    rng = np.random.default_rng(0)
    truth = (rng.random((120, 3)) < 0.4).astype(np.float32)
    truth[:60, 1] = 0  # one class only in training
    truth[60:, 2] = 0  # one class only in test
    patients = [f"p{i // 2}" for i in range(120)]
    splits = np.where(np.arange(120) < 60, "train", "test")
    encoders = {"random": rng.normal(size=(120, 8)), f"igc {EVIL}": rng.normal(size=(120, 8))}
    encoders[f"igc {EVIL}"][:, :3] += truth
    linear = linear_probe(encoders, truth, patients, splits, NAMES, (0.1, 1.0), 2, resamples=40)
    codes = rng.normal(size=(120, 4)).astype(np.float32)
    prompts = PromptCodes("text", ("Edema",), codes[:1], codes[1:2], {"Edema": (1, 1)}, "0")
    test = np.arange(60, 120)
    return {
        "title": f"Title {EVIL}",
        "summary": f"Summary {EVIL}",
        "data": {"name": "phantom", "synthetic": True, "hash": "abc"},
        "linear": linear.to_json(),
        "zero_shot": [
            zero_shot(
                "m", codes, np.arange(120), prompts, truth, patients, NAMES, test, resamples=20
            )
        ],
        "retrieval": [
            retrieval("m", codes[60:], codes[60:], list("ab" * 30), patients[60:], resamples=20)
        ],
        "training": [
            {
                "name": "igc",
                "metrics": [
                    {"step": step, "split": split, "loss": 5 / (step + 1)}
                    for step in range(1000)
                    for split in ("train", "validate")[: 1 + (step % 100 == 0)]
                ],
            }
        ],
        "provenance": {"commands": [f"radpair demo {EVIL}"], "versions": {"torch": "2"}},
    }


def sample(svg: str = "") -> Sample:
    graph = Graph(
        "no <i>edema</i> in lung",
        (Entity("<i>edema</i>", ABSENT, 1, 1), Entity("lung", ANATOMY, 3, 3)),
    )
    pixels = np.arange(64 * 48, dtype=np.uint8).reshape(64, 48)
    return Sample(f"s{EVIL}", pixels, f"report {EVIL}", graph, svg, f"note {EVIL}")


def test_the_page_is_whole_and_asks_nothing_of_the_network(results, tmp_path) -> None:
    out = tmp_path / "report.html"
    write_page(results, out, [sample("<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>")])
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    page = out.read_text(encoding="utf-8")
    tags = read(page)
    for tag, attributes in tags.met:
        assert tag not in {"script", "link", "iframe", "object"}
        for name in ("src", "href"):
            assert (attributes.get(name) or "data:").startswith("data:")
        assert not any(name.startswith("on") for name in attributes)
    assert "http" not in re.sub(r'http-equiv|data:[^"]*', "", page)
    assert "default-src 'none'" in page


def test_every_text_is_escaped(results) -> None:
    page = render(results, [sample(), Sample("t", sample().pixels, f"plain {EVIL}")])
    assert "<script" not in page
    assert "alert(1)" in page
    assert "Mass &lt;b&gt;" in page
    assert "&lt;i&gt;edema&lt;/i&gt;" in page  # in a mark
    read(page)


def test_the_numbers_shown_are_those_of_the_results(results) -> None:
    page = render(results)
    for row in results["linear"]["rows"]:
        macro = row["metrics"]["auroc"]["macro"]
        assert f'<b class="big">{macro["value"]:.3f}</b>' in page
        assert f"[{macro['low']:.3f}, {macro['high']:.3f}]" in page
    label = results["zero_shot"][0]["metrics"]["auroc"]["labels"]["Edema"]
    assert f"<b>{label['value']:.3f}</b>" in page
    assert "Without prompts of some kind: Mass &lt;b&gt;, Nodule" in page
    recall = results["retrieval"][0]["directions"]["image_to_report"]["recall"]["1"]
    assert f"<b>{100 * recall['value']:.1f}</b>" in page
    assert "identical report counts as a hit" in page
    assert "synthetic studies" in page
    assert "one class only in a draw" in page


def test_charts_are_sound_drawings_within_their_frame(results) -> None:
    charts = re.findall(r"<svg.*?</svg>", render(results), re.S)
    assert len(charts) == 4  # efficiency, two fractions label by label, losses
    for chart in charts:
        tree = ElementTree.fromstring(chart)
        _, _, width, height = map(float, tree.get("viewBox").split())
        assert tree.find("title").text
        assert len(tree.findall("circle")) >= 2
        for part in tree.iter():
            for names, limit in (
                (("x", "x1", "x2", "cx"), width),
                (("y", "y1", "y2", "cy"), height),
            ):
                for name in names:
                    assert 0 <= float(part.get(name, 0)) <= limit


def test_sections_without_results_are_left_out(results) -> None:
    page = render({"retrieval": results["retrieval"]})
    assert "<h2>Retrieval</h2>" in page
    assert page.count("<h2>") == 1
    single = dict(results["linear"])
    single["rows"] = [row for row in single["rows"] if row["fraction"] == 1.0]
    read(render({"linear": single}))


def test_a_probe_without_any_defined_label_is_still_a_page(results) -> None:
    empty = {"value": None, "low": None, "high": None, "p": None, "undefined": 9}
    rows = [
        {
            **row,
            "differences": {},
            "metrics": {
                name: {"macro": empty, "labels": dict.fromkeys(NAMES, empty), "draws": [None]}
                for name in row["metrics"]
            },
        }
        for row in results["linear"]["rows"]
    ]
    read(render({"linear": {**results["linear"], "rows": rows}}))


def test_nothing_to_write_is_an_error(results, tmp_path) -> None:
    with pytest.raises(EvaluationError, match="no results to write"):
        write_page({"title": "x"}, tmp_path / "x.html")
    with pytest.raises(EvaluationError, match="does not exist"):
        write_page(results, tmp_path / "none" / "x.html")


def test_a_headline_claims_no_more_than_its_interval(results) -> None:
    linear = results["linear"]
    row = linear["rows"][1]
    assert row["fraction"] == 0.1
    for low, high, doubted in ((0.01, 0.2, False), (-0.01, 0.2, True)):
        gap = {"value": 0.1, "low": low, "high": high, "p": 0.1, "undefined": 0}
        differences = {
            name: {**found, "total": {"macro": gap}} for name, found in row["differences"].items()
        }
        rows = [linear["rows"][0], {**row, "differences": differences}]
        page = render({"linear": {**linear, "rows": rows}})
        assert ("may be chance" in page) == doubted
        assert "difference +0.100" in page


def test_a_difference_of_one_draw_has_its_interval_over_patients() -> None:
    over_patients, total = {"value": 0.1, "low": 0.09}, {"value": 0.1, "low": -0.1}
    assert over_draws({"macro": over_patients, "total": None}) == over_patients
    assert over_draws({"macro": over_patients}) == over_patients
    assert over_draws({"macro": over_patients, "total": {"macro": total}}) == total


def test_a_drawing_shows_the_marks_itself() -> None:
    drawn = sample_figures([sample("<svg xmlns='http://www.w3.org/2000/svg'/>")])
    assert "<mark" not in drawn
    assert "report &quot;&gt;" in drawn
    plain = sample_figures([sample()])
    assert plain.count("<mark") == 4 + 2  # the key and two entities


def test_a_hard_wrapped_report_flows() -> None:
    report = "INDICATION: Cough\nand fever.\n\nThe lungs\nare clear.\nImpression: Normal.\n"
    assert unwrapped(report) == (
        "INDICATION: Cough and fever.\nThe lungs are clear.\nImpression: Normal."
    )


def test_entities_are_marked_by_label() -> None:
    graph = Graph("edema < lung", (Entity("edema", PRESENT, 0, 0), Entity("< lung", ANATOMY, 1, 2)))
    assert marked_text(graph) == (
        '<mark class="present">edema</mark> <mark class="anatomy">&lt; lung</mark>'
    )


@pytest.mark.parametrize("shape", [(20, 30), (1024, 700)])
def test_films_come_out_as_they_went_in(shape) -> None:
    rng = np.random.default_rng(0)
    pixels = cv2.resize(rng.integers(0, 256, (8, 8), dtype=np.uint8), shape[::-1])
    head, data = png_uri(pixels).split(",")
    assert head == "data:image/png;base64"
    decoded = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_UNCHANGED)
    if max(shape) <= 512:
        np.testing.assert_array_equal(decoded, pixels)
    else:
        assert decoded.shape == (512, 350)
        assert abs(decoded.mean() - pixels.mean()) < 2
    with pytest.raises(EvaluationError, match="uint8"):
        png_uri(pixels.astype(np.float32))


def test_ticks_are_round_and_inside() -> None:
    assert Scale(0.45, 1.0, 0, 1).ticks(5) == [0.6, 0.8, 1.0]
    assert Scale(0, 7, 0, 1).ticks(6) == [0, 2, 4, 6]
    assert [round_step(v) for v in (0.11, 0.9, 2.1, 30)] == pytest.approx([0.2, 1, 2.5, 50])
