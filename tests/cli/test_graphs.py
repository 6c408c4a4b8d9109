"""``radpair graphs`` and its verbs as a user types them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from radpair.cli import main
from radpair.graphs import extract, radgraph_json
from radpair.studyset import StudySet

TEXTS = {
    "a": "FINDINGS: Small left pleural effusion. No pneumothorax.",
    "b": 'IMPRESSION: Possible pneumonia, comma, "quotes".',
    "c": "",
}


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one sentence of a refused command."""
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    message = capsys.readouterr().err.strip()
    assert "Traceback" not in message
    return message


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "reports.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("name", "words"), *TEXTS.items()])
    return path


def columns(table: Path, out: Path) -> list[str]:
    return [
        *("graphs", str(table), "--id-column", "name", "--text-column", "words"),
        *("--out", str(out), "--processes", "1"),
    ]


def test_a_table_becomes_radgraph_json(table: Path, tmp_path: Path, capsys) -> None:
    main(columns(table, tmp_path / "graphs.json"))
    found = radgraph_json.read(tmp_path / "graphs.json")
    assert found == {name: extract(text) for name, text in TEXTS.items()}
    assert (tmp_path / "graphs.without-entity.csv").read_text() == "id,reason\nc,empty report\n"
    printed = capsys.readouterr().out
    assert "3 graphs" in printed
    assert "without an entity: 1 report (empty report)" in printed


def test_a_folder_of_texts_becomes_radgraph_json(tmp_path: Path) -> None:
    folder = tmp_path / "reports"
    folder.mkdir()
    for name, text in TEXTS.items():
        (folder / f"{name}.txt").write_text(text)
    main(["graphs", str(folder), "--out", str(tmp_path / "graphs.json"), "--processes", "1"])
    assert radgraph_json.read(tmp_path / "graphs.json")["a"] == extract(TEXTS["a"])


def test_a_lexicon_of_ones_own_is_used(table: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text('[finding]\ncomma = ["comma"]\n')
    main([*columns(table, tmp_path / "graphs.json"), "--lexicon", str(mine)])
    found = radgraph_json.read(tmp_path / "graphs.json")
    assert "comma" in [entity.text for entity in found["b"].entities]


def test_stats_counts_and_writes(table: Path, tmp_path: Path, capsys) -> None:
    graphs, out = tmp_path / "graphs.json", tmp_path / "stats.json"
    main(columns(table, graphs))
    main(["graphs", "stats", str(graphs), "--out", str(out), "--top", "3"])
    printed = capsys.readouterr().out
    assert "3 reports, 2 with entities, 1 without" in printed
    assert "effusion → pleural (present)" in printed
    assert json.loads(out.read_text())["observations"]["absent"] == {"pneumothorax": 1}


def test_diff_tells_scores_disagreements_and_what_one_side_lacks(
    table: Path, tmp_path: Path, capsys
) -> None:
    ours, theirs, out = (tmp_path / name for name in ("a.json", "b.json", "diff.json"))
    main(columns(table, ours))
    data = json.loads(ours.read_text())
    del data["c"]
    label = next(e for e in data["a"]["entities"].values() if e["tokens"] == "pneumothorax")
    label["label"] = "Observation::uncertain"
    theirs.write_text(json.dumps(data))
    capsys.readouterr()
    main(["graphs", "diff", str(ours), str(theirs), "--out", str(out)])
    printed = capsys.readouterr().out
    assert "2 reports in both" in printed
    assert "pneumothorax (observation absent)  pneumothorax (observation uncertain)" in printed
    assert f"1 report only in {ours}: c" in printed
    found = json.loads(out.read_text())
    assert found["spans"]["f1"] == 1
    assert found["entities"]["f1"] < 1
    assert found["only_reference"] == ["c"]


def test_show_draws_a_page_or_the_drawing_alone(
    table: Path, tmp_path: Path, monkeypatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    main(columns(table, tmp_path / "graphs.json"))
    main(["graphs", "show", "graphs.json", "a"])
    assert "pneumothorax" in (tmp_path / "a.html").read_text()
    main(["graphs", "show", "graphs.json", "a", "--out", "a.svg"])
    assert (tmp_path / "a.svg").read_text().startswith("<svg ")
    main(["graphs", "show", "--text", "No <b>nodule</b>.", "--out", "t.html"])
    assert ">nodule</mark>" in (tmp_path / "t.html").read_text()
    (tmp_path / "report.txt").write_text(TEXTS["a"])
    main(["graphs", "show", "report.txt"])
    assert "pneumothorax" in (tmp_path / "report.html").read_text()
    assert "report.html: report, " in capsys.readouterr().out


def test_an_xml_report_is_titled_by_its_own_id(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    part = '<AbstractText Label="FINDINGS">No nodule.</AbstractText>'
    Path("99.xml").write_text(f'<eCitation><uId id="CXR7"/>{part}</eCitation>')
    main(["graphs", "show", "99.xml"])
    assert "<h1>CXR7</h1>" in Path("CXR7.html").read_text()
    assert "CXR7.html: CXR7, 1 entity and 0 relations." in capsys.readouterr().out


def test_show_and_stats_of_a_study_set(disc_set: Path, tmp_path: Path, capsys) -> None:
    studies = StudySet.open(disc_set)
    main(["graphs", "show", str(disc_set), studies.study_ids[0], "--out", str(tmp_path / "s.html")])
    assert "<mark" in (tmp_path / "s.html").read_text()
    main(["graphs", "stats", str(disc_set)])
    assert f"{len(studies)} reports" in capsys.readouterr().out
    main(["graphs", "diff", str(disc_set), str(disc_set)])
    assert "1.000" in capsys.readouterr().out


FAULTS = {
    "no report": ('{"r1": 3}', "report 'r1': must be an object"),
    "no entity": (
        '{"r1": {"text": "a", "entities": {"7": 3}}}',
        "report 'r1', entity '7', field '(all)'",
    ),
    "span": (
        '{"r1": {"text": "a", "entities": {"7": {"tokens": "b", "start_ix": 0, "end_ix": 0, '
        '"label": "OBS-DP", "relations": []}}}}',
        "report 'r1', entity '7', field 'tokens'",
    ),
    "not JSON": ("{", "is no JSON"),
    "nested": ("[" * 100_000, "is no JSON"),
    "binary": ("\x00\x01", "is no JSON"),
    "empty": ("", "is no JSON"),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("verb", ["stats", "diff", "show"])
def test_malformed_json_names_report_entity_and_field(
    fault: str, verb: str, tmp_path: Path, capsys
) -> None:
    content, words = FAULTS[fault]
    path = tmp_path / "graphs.json"
    path.write_text(content)
    rest = {"stats": [], "diff": [str(path)], "show": ["r1"]}[verb]
    message = refused(["graphs", verb, str(path), *rest], capsys)
    assert words in message
    assert str(path) in message


def test_mistakes_end_with_the_remedy(table: Path, tmp_path: Path, capsys, disc_set: Path) -> None:
    out = str(tmp_path / "graphs.json")
    main(columns(table, Path(out)))
    mistakes = [
        (["graphs", str(table)], "add --out FILE.json"),
        (["graphs", str(disc_set), "--id-column", "name"], "add --out FILE.json"),
        (["graphs", str(table), "--out", out, "--id-column", "nam"], "did you mean 'name'"),
        (["graphs", str(disc_set), "--out", out], "leave out --out"),
        (["graphs", str(table), "--out", out, "--from", "source"], "leave out --from"),
        (columns(table, table), "choose another --out"),
        ([*columns(table, Path(out)), "--lexicon", "none.toml"], "none.toml"),
        (["graphs", str(disc_set), "--from", "source", "--lexicon", out], "leave out --lexicon"),
        (["graphs", "show", out], "give its id, such as 'a'"),
        (["graphs", "show", out, "aa"], "has no graph of a report 'aa'"),
        (["graphs", "show"], "give either --text"),
        (["graphs", "show", out, "a", "--out", "x.png"], "ends in .html"),
        (["graphs", "stats", str(tmp_path / "none.json")], "check the path"),
    ]
    for arguments, words in mistakes:
        assert words in refused(arguments, capsys), arguments


BAD_TABLES = {
    "repeated id": (b"id,text\na,x\na,y\n", "'a' stands in row 2 and in row 3"),
    "blank id": (b"id,text\n ,x\n", "row 2: the id is blank"),
    "binary": (b"id,text\na,\x00\x01\n", "NUL"),
    "encoding": (b"id,text\na,\xff\n", "UTF-8"),
    "empty": (b"", "is empty"),
}


@pytest.mark.parametrize("fault", BAD_TABLES)
def test_bad_tables_name_the_row_and_leave_nothing(fault: str, tmp_path: Path, capsys) -> None:
    content, words = BAD_TABLES[fault]
    path = tmp_path / "reports.csv"
    path.write_bytes(content)
    message = refused(["graphs", str(path), "--out", str(tmp_path / "graphs.json")], capsys)
    assert words in message
    assert list(tmp_path.iterdir()) == [path]
