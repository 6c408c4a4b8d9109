"""RadGraph's JSON: round trip, its several forms, and faults that name their place."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from radpair.errors import GraphError
from radpair.graphs import extract, radgraph_json
from radpair.graphs.schema import ABSENT, ANATOMY, LOCATED_AT, MODIFY
from radpair.records import Entity, Graph, Relation

REPORT: dict[str, Any] = {
    "text": "No pleural effusion .",
    "entities": {
        "1": {
            "tokens": "pleural",
            "label": "ANAT-DP",
            "start_ix": 1,
            "end_ix": 1,
            "relations": [],
        },
        "2": {
            "tokens": "effusion",
            "label": "OBS-DA",
            "start_ix": 2,
            "end_ix": 2,
            "relations": [["located_at", "1"]],
        },
    },
}
SPANS: dict[str, Any] = {
    "sentences": [["No", "pleural"], ["effusion", "."]],
    "ner": [[[1, 1, "Anatomy::definitely present"]], [[2, 2, "Observation::definitely absent"]]],
    "relations": [[], [[2, 2, 1, 1, "located_at"]]],
}
GRAPH = Graph(
    "No pleural effusion .",
    (Entity("pleural", ANATOMY, 1, 1), Entity("effusion", ABSENT, 2, 2)),
    (Relation(1, LOCATED_AT, 0),),
)


def _write(path: Path, data: Any) -> Path:
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


def test_graphs_survive_a_round_trip(tmp_path: Path) -> None:
    texts = ["Small left pleural effusion may represent empyema.", "", "Herz größer, no edema."]
    graphs = {f"r{i}": extract(text) for i, text in enumerate(texts)}
    path = tmp_path / "graphs.json"
    radgraph_json.write(path, graphs)
    assert radgraph_json.read(path) == graphs
    assert list(tmp_path.iterdir()) == [path]


def test_several_relations_of_one_entity_are_all_kept(tmp_path: Path) -> None:
    report = copy.deepcopy(REPORT)
    report["entities"]["2"]["relations"] = [["located_at", "1"], ["modify", "1"]]
    read = radgraph_json.read(_write(tmp_path / "g.json", {"a": report}))["a"]
    assert read.relations == (Relation(1, LOCATED_AT, 0), Relation(1, MODIFY, 0))


@pytest.mark.parametrize(
    ("data", "ids"),
    [
        ({"p10/s1.txt": REPORT}, ["p10/s1.txt"]),
        ({"train": {"a": REPORT}, "dev": {"b": REPORT}}, ["a", "b"]),
        ([{"id": "a", **REPORT}, REPORT], ["a", "1"]),
        ([{"path_to_image": "x.jpg", "findings": REPORT, "impression": REPORT}],
         ["x.jpg/findings", "x.jpg/impression"]),
        ({"a": {**REPORT, "data_source": None, "data_split": "inference"}}, ["a"]),
        ([{"0": REPORT}, {"0": REPORT}], ["0", "1"]),
        ({"test": {"a": {"text": REPORT["text"], "labeler_1": {"entities": REPORT["entities"]},
                         "labeler_2": {"entities": REPORT["entities"]}}}},
         ["a/labeler_1", "a/labeler_2"]),
        ([{"doc_key": "x", **SPANS}], ["x"]),
    ],
)  # fmt: skip
def test_every_known_form_is_read(tmp_path: Path, data: Any, ids: list[str]) -> None:
    read = radgraph_json.read(_write(tmp_path / "g.json", data))
    assert read == dict.fromkeys(ids, GRAPH)


def test_records_may_stand_one_a_line(tmp_path: Path) -> None:
    path = tmp_path / "g.jsonl"
    lines = [json.dumps({"doc_key": key, **SPANS}) for key in ("x", "y")]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert radgraph_json.read(path) == {"x": GRAPH, "y": GRAPH}
    path.write_text("\n".join([*lines, "{"]), encoding="utf-8")
    with pytest.raises(GraphError, match=r"g\.jsonl', line 3: is no JSON"):
        radgraph_json.read(path)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("sentences", "No", "field 'sentences': must be a list of lists"),
        ("ner", [[[1, 1]]], "field 'ner': [1, 1] needs 3 parts"),
        ("ner", [[["1", 1, "x"]]], "must begin with whole numbers"),
        ("relations", [[[2, 2, 0, 0, "modify"]]], "no entity of 'ner' spans 0 to 0"),
        ("relations", [[[2, 2, 1, 1, {}]]], "entity '2', field 'relations': unknown type {}"),
        ("ner", [[[1, 1, "OBS-DP"]], [[2, 99, "OBS-DP"]]],
         "entity '2', field 'ner': [2, 99, 'OBS-DP'] lies outside the text's 4 tokens"),
        ("ner", [[[2, 1, "OBS-DP"]]], "entity '1', field 'ner': [2, 1, 'OBS-DP'] ends before"),
        ("ner", [[[1, 1, {"a": 1}]]], "entity '1', field 'ner': {'a': 1} is no label"),
        ("ner", [[[True, 1, "OBS-DP"]]], "must begin with whole numbers"),
        ("sentences", [["No", 5]], "field 'sentences': 5 is no word"),
        ("sentences", [["No", "a b"]], "field 'sentences': 'a b' is no word"),
    ],
)  # fmt: skip
def test_a_fault_in_a_record_of_spans_names_the_field(
    tmp_path: Path, field: str, value: Any, message: str
) -> None:
    path = _write(tmp_path / "g.json", [{"doc_key": "x", **SPANS, field: value}])
    with pytest.raises(GraphError) as caught:
        radgraph_json.read(path)
    assert "report 'x'" in str(caught.value)
    assert message in str(caught.value)


def _broken(field: str, value: Any) -> dict[str, Any]:
    report = copy.deepcopy(REPORT)
    report["entities"]["2"][field] = value
    return report


@pytest.mark.parametrize(
    ("report", "message"),
    [
        (_broken("tokens", "edema"), "entity '2', field 'tokens': says 'edema' but the text has"),
        (_broken("label", "OBS-XX"), "field 'label': unknown label 'OBS-XX'; did you mean 'OBS-"),
        (_broken("label", None), "field 'label'"),
        (_broken("start_ix", "2"), "field 'start_ix': must be a whole number"),
        (_broken("start_ix", True), "field 'start_ix': must be a whole number"),
        (_broken("end_ix", 9), "field 'end_ix': 9 lies outside the text's 4 tokens"),
        (_broken("start_ix", -1), "field 'start_ix': -1 lies outside"),
        (_broken("end_ix", 1), "field 'end_ix': 1 is before start_ix 2"),
        (_broken("relations", None), "field 'relations': must be a list"),
        (_broken("relations", [["modify"]]), "field 'relations': ['modify'] is no"),
        (_broken("relations", [["modifies", "1"]]), "unknown type 'modifies'; did you mean"),
        (_broken("relations", [["modify", "7"]]), "points at entity '7'"),
        (_broken("relations", [["modify", 1]]), "points at entity 1"),
        ({"entities": {}}, "'text' is missing"),
        ({"text": "a"}, "'entities' is missing"),
        ({"text": "a", "entities": {"1": "x"}}, "entity '1'"),
        ("x", "must be an object"),
    ],
)
def test_a_fault_names_report_entity_and_field(tmp_path: Path, report: Any, message: str) -> None:
    path = _write(tmp_path / "g.json", {"fine": REPORT, "bad": report})
    with pytest.raises(GraphError) as caught:
        radgraph_json.read(path)
    assert "g.json', report 'bad'" in str(caught.value)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "is no JSON"),
        (b"\xff\xfe\x00", "is no JSON"),
        (b"[" * 100_000, "is no JSON that can be read (it is nested too deeply)"),
        (b'{"r": ' + b"9" * 6000 + b"}", "a whole number in it has more than 4,300 digits"),
        (b"3", "neither an object of reports nor a list"),
        (b"[3]", "record 0 is no object"),
        (b'[{"id": "a"}]', "record 0 has no 'entities'"),
    ],
)
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "g.json"
    path.write_bytes(content)
    with pytest.raises(GraphError) as caught:
        radgraph_json.read(path)
    assert message in str(caught.value)
    assert "g.json" in str(caught.value)


def test_a_missing_file_and_a_double_id_are_refused(tmp_path: Path) -> None:
    with pytest.raises(GraphError, match=r"absent\.json"):
        radgraph_json.read(tmp_path / "absent.json")
    path = _write(tmp_path / "g.json", [{"id": "a", **REPORT}, {"id": "a", **REPORT}])
    with pytest.raises(GraphError, match="report 'a' appears twice"):
        radgraph_json.read(path)


def test_a_graph_that_does_not_fit_its_text_is_not_written(tmp_path: Path) -> None:
    graph = Graph("No effusion .", (Entity("edema", ABSENT, 1, 1),))
    with pytest.raises(GraphError, match="entity '1', field 'tokens'"):
        radgraph_json.write(tmp_path / "g.json", {"a": graph})
    assert list(tmp_path.iterdir()) == []


def test_paths_may_be_strings(tmp_path: Path) -> None:
    path = str(tmp_path / "graphs.json")
    radgraph_json.write(path, {"a": extract("No effusion.")})
    assert radgraph_json.read(path) == {"a": extract("No effusion.")}


@pytest.mark.parametrize("name", ["r.csv", "r.jsonl", "one.jsonl", "r.parquet", "numbers.csv"])
def test_reports_are_told_from_graphs(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    row = b'{"id": "a", "report": "No effusion."}\n'
    content = {"r.jsonl": row * 2, "one.jsonl": row, "r.parquet": b"PAR1\xff\x00"}
    path.write_bytes(content.get(name, b"1,2\n3,No effusion.\n"))
    with pytest.raises(GraphError, match=rf"make their graphs first: radpair graphs .*{name}"):
        radgraph_json.read(path)


def test_one_record_a_line_may_be_one_alone(tmp_path: Path) -> None:
    path = tmp_path / "one.jsonl"
    path.write_text('{"doc_key": "d", "sentences": [["Clear"]], "ner": [[]], "relations": [[]]}\n')
    assert radgraph_json.read(path) == {"d": Graph("Clear")}


def test_a_json_list_of_reports_is_told_from_graphs(tmp_path: Path) -> None:
    path = tmp_path / "reports.json"
    path.write_text('[{"id": "a", "text": "No effusion."}]')
    with pytest.raises(GraphError, match=r"holds reports, not graphs; save them as JSON lines"):
        radgraph_json.read(path)


REPEATED = {
    "report": ('{"r1": R, "r2": R, "r1": R}', "report 'r1' appears twice"),
    "report of a split": ('{"train": {"r1": R, "r1": R}}', "report 'r1' appears twice"),
    "split": ('{"train": {"r1": R}, "train": {"r2": R}}', "split 'train' appears twice"),
    "entity": (
        '{"r1": {"text": "a b", "entities": {"1": E, "1": E}}}',
        "report 'r1', entity '1' appears twice",
    ),
    "entities": (
        '{"r1": {"text": "a b", "entities": {}, "entities": {"1": E}}}',
        "report 'r1', field 'entities' appears twice",
    ),
    "field of an entity": (
        '{"r1": {"text": "a", "entities": {"1": {"label": "OBS-DP", "label": "OBS-U"}}}}',
        "report 'r1', entity '1', field 'label' appears twice",
    ),
    "annotator": (
        '{"r1": {"text": "a", "labeler_1": {"entities": {}}, "labeler_1": {"entities": {}}}}',
        "report 'r1', field 'labeler_1' appears twice",
    ),
    "annotator's field": (
        '{"r1": {"text": "a", "labeler_1": {"entities": {}, "entities": {}}}}',
        "report 'r1/labeler_1', field 'entities' appears twice",
    ),
    "field of a record": ('[{"id": "a", "text": "b", "text": "c"}]', "record 0, field 'text'"),
    "section": ('[{"id": "a", "findings": R, "findings": R}]', "record 0, field 'findings'"),
    "spans": ('[{"ner": [], "ner": []}]', "record 0, field 'ner' appears twice"),
}


@pytest.mark.parametrize("case", REPEATED)
def test_what_stands_twice_is_never_dropped(case: str, tmp_path: Path) -> None:
    content, message = REPEATED[case]
    entity = json.dumps({**REPORT["entities"]["1"], "tokens": "a", "start_ix": 0, "end_ix": 0})
    path = tmp_path / "g.json"
    path.write_text(content.replace("R", json.dumps(REPORT)).replace("E", entity))
    with pytest.raises(GraphError) as caught:
        radgraph_json.read(path)
    assert message in str(caught.value)
    assert "g.json" in str(caught.value)


@pytest.mark.parametrize("name", ["g.json", "g.jsonl"])
@pytest.mark.parametrize(
    ("record", "ids"),
    [
        ({"id": "a", **REPORT}, ["a"]),
        (REPORT, ["0"]),
        ({"doc_key": "x", **SPANS}, ["x"]),
        (SPANS, ["0"]),
        ({"r": REPORT}, ["r"]),
    ],
)
def test_a_file_of_one_record_is_read_as_one(
    tmp_path: Path, name: str, record: Any, ids: list[str]
) -> None:
    read = radgraph_json.read(_write(tmp_path / name, record))
    assert read == dict.fromkeys(ids, GRAPH)


def test_a_line_of_one_report_by_sections_is_a_record(tmp_path: Path) -> None:
    record = {"path_to_image": "x.jpg", "findings": REPORT, "impression": REPORT}
    read = radgraph_json.read(_write(tmp_path / "g.jsonl", record))
    assert read == dict.fromkeys(["x.jpg/findings", "x.jpg/impression"], GRAPH)


def test_a_fault_in_a_file_of_one_record_is_that_of_the_record(tmp_path: Path) -> None:
    bad = {"id": "a", "text": "x", "entities": {"1": {"start_ix": 4}}}
    for name in ("g.json", "g.jsonl"):
        with pytest.raises(GraphError, match="report 'a', entity '1', field 'start_ix'"):
            radgraph_json.read(_write(tmp_path / name, bad))


def test_lines_end_at_line_feeds_alone(tmp_path: Path) -> None:
    path = tmp_path / "g.jsonl"
    words = "clear\u2028lungs \u0085 x\u2029y"
    lines = [json.dumps({"id": i, "text": words, "entities": {}}, ensure_ascii=False) for i in "ab"]
    path.write_bytes("\r\n".join(lines).encode())
    assert radgraph_json.read(path) == dict.fromkeys("ab", Graph(words))
    path.write_bytes(("\n".join(lines) + "\n{").encode())
    with pytest.raises(GraphError, match=r"g\.jsonl', line 3: is no JSON"):
        radgraph_json.read(path)


@pytest.mark.parametrize("name", ["g.json", "g.jsonl"])
def test_a_byte_order_mark_is_no_fault(tmp_path: Path, name: str) -> None:
    path = _write(tmp_path / name, {"id": "a", **REPORT})
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert radgraph_json.read(path) == {"a": GRAPH}


@pytest.mark.parametrize("content", ["9" * 6000, "[" * 100_000])
def test_what_cannot_be_read_in_a_line_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "g.jsonl"
    fine = json.dumps({"id": "a", **REPORT})
    for lines, number in (([fine, content], 2), ([content, fine], 1)):
        path.write_text("\n".join(lines))
        with pytest.raises(GraphError, match=rf"g\.jsonl', line {number}: is no JSON that can be"):
            radgraph_json.read(path)


@pytest.mark.parametrize("field", ["tokens", "label", "start_ix", "relations"])
def test_what_is_shown_of_a_fault_is_short(tmp_path: Path, field: str) -> None:
    value: Any = ["x" * 1000] * 1000
    for _ in range(100):
        value = [value]
    path = _write(tmp_path / "g.json", {"r": _broken(field, value)})
    with pytest.raises(GraphError, match=f"entity '2', field '{field}'") as caught:
        radgraph_json.read(path)
    assert len(str(caught.value)) < 1000


def test_an_id_is_text_or_a_number(tmp_path: Path) -> None:
    path = _write(tmp_path / "g.json", [{"id": ["a"], **REPORT}])
    with pytest.raises(GraphError, match="record 0, field 'id'"):
        radgraph_json.read(path)


def test_half_a_surrogate_survives_a_round_trip(tmp_path: Path) -> None:
    graphs = {"a\ud800": Graph("no\udfff effusion")}
    radgraph_json.write(tmp_path / "g.json", graphs)
    assert radgraph_json.read(tmp_path / "g.json") == graphs
