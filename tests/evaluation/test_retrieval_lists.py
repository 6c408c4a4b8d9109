from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from evaluation.fake_chexpert import CLASSES, write_fake_chexpert
from radpair.cli import main
from radpair.errors import EvaluationError
from radpair.evaluation.bootstrap import interval, patient_weights
from radpair.evaluation.class_retrieval import ask, class_retrieval
from radpair.evaluation.code import code_hash
from radpair.evaluation.intervals import wilson_bounds
from radpair.evaluation.retrieval_lists import locate, patient_of, read_lists, score_lists

PUBLISHED = Path(__file__).resolve().parents[3] / "shared" / "data" / "retrieval-8x200"


@pytest.fixture
def fake(tmp_path: Path) -> Path:
    write_fake_chexpert(tmp_path)
    return tmp_path


def unit(rng: np.random.Generator, rows: int, dim: int = 6) -> np.ndarray:
    codes = rng.normal(size=(rows, dim))
    return (codes / np.linalg.norm(codes, axis=1, keepdims=True)).astype(np.float32)


def slow_precision(folder: Path, queries: np.ndarray, candidates: np.ndarray, k: int) -> float:
    """The protocol from the files, one query and one candidate after another."""
    with (folder / "query.csv").open() as file:
        asked = list(csv.DictReader(file))
    with (folder / "candidate.csv").open() as file:
        listed = list(csv.DictReader(file))
    shares = []
    for number, query in enumerate(asked):
        near = [(float(queries[number] @ code), i) for i, code in enumerate(candidates)]
        best = sorted(near, reverse=True)[:k]
        hits = [float(listed[i][query["Variable"]]) == 1 for _, i in best]
        shares.append(sum(hits) / k)
    return sum(shares) / len(shares)


@pytest.mark.parametrize("kind", ["image", "text"])
def test_precision_equals_a_slow_loop_over_the_files(fake: Path, kind: str) -> None:
    lists = read_lists(fake / "lists", kind)
    rng = np.random.default_rng(4)
    queries, candidates = unit(rng, len(lists.queries)), unit(rng, len(lists.paths))
    found = score_lists(lists, queries, candidates, "m")
    for k in (5, 10, 50):
        cell = found["precision"][str(k)]
        expected = slow_precision(lists.folder, queries, candidates, k)
        assert cell["value"] == pytest.approx(expected)
        assert cell["low"] <= cell["value"] <= cell["high"]
        assert cell["chance"] == pytest.approx(1 / 3)
        assert set(cell["classes"]) == set(CLASSES)
    assert (found["queries"], found["candidates"], found["patients"]) == (
        len(lists.queries),
        60,
        30,
    )
    json.dumps(found, allow_nan=False)


def test_perfect_and_constant_codes(fake: Path) -> None:
    lists = read_lists(fake / "lists")
    codes = np.eye(3, dtype=np.float32)
    queries = codes[[CLASSES.index(name) for name in lists.classes]]
    candidates = codes[lists.truth.argmax(axis=1)]
    perfect = score_lists(lists, queries, candidates, "m")
    assert [perfect["precision"][k]["value"] for k in ("5", "10")] == [1, 1]
    constant = score_lists(lists, np.ones_like(queries), np.ones_like(candidates), "m")
    assert constant["precision"]["10"]["value"] == 0  # ties count against


def test_intervals_are_wilsons_where_a_slow_bootstrap_over_patients_varies_as_much() -> None:
    rng = np.random.default_rng(5)
    truth = (rng.random((40, 1)) < 0.4).astype(float)
    patients = [f"p{i // 2}" for i in range(40)]
    queries, candidates = unit(rng, 1), unit(rng, 40)
    found = class_retrieval(
        *("m", queries, ["a"], candidates, truth, ["a"], patients),
        query="image",
        protocol="",
        at=[8],
        resamples=4000,
    )
    order = np.argsort(-(candidates @ queries[0]))
    draws = []
    for _ in range(4000):
        drawn = np.bincount(rng.integers(0, 20, size=20), minlength=20)
        ranked = [truth[i, 0] for i in order for _ in range(drawn[i // 2])]
        draws.append(np.mean(ranked[:8]))
    cell = found["precision"]["8"]
    value = truth[order[:8], 0].mean()
    low, high = wilson_bounds(value, max(value * (1 - value) / np.var(draws), 4), 0.95)
    assert 0 < value < 1
    assert (cell["value"], cell["low"]) == (value, pytest.approx(low, abs=0.02))
    assert cell["high"] == pytest.approx(high, abs=0.02)


def test_a_perfect_precision_is_as_certain_as_the_patients_found_are_many() -> None:
    """Four places of one patient and one each of two others count as (4 + 1 + 1)² / 18 patients."""
    codes = np.eye(2, dtype=np.float32)[[0] * 6 + [1] * 20]
    truth = codes[:, :1].astype(float)
    patients = ["a"] * 4 + ["b", "c"] + [f"p{i}" for i in range(20)]
    found = ask(
        *(codes[:1], np.zeros(1, np.int64), codes, truth, patients, None),
        *((6,), 200, 0),
    ).precision(6)
    assert found.value.tolist() == [1]
    assert found.support[0, 0] == pytest.approx(2)
    one = interval(found).macro
    assert (one.low, one.high) == pytest.approx(wilson_bounds(1, 2, 0.95))


def test_patients_who_ask_are_drawn_with_the_candidates() -> None:
    """Two of four who ask find nothing but hits, two nothing but misses: luck of who asked."""
    codes = np.repeat(np.eye(4, dtype=np.float32), [2, 2, 20, 20], axis=0)
    codes[:4] = codes[[10, 10, 30, 30]]
    truth = np.zeros((44, 1))
    truth[[0, 1, 2, 3, *range(4, 24)]] = 1
    people = [f"p{row}" for row in range(44)]
    given = (codes[:4], np.zeros(4, np.int64), codes, truth, people)
    asked = ask(*given, people[:4], (8,), 400, 0)
    kept = ask(*given, [f"q{row}" for row in range(4)], (8,), 400, 0)
    assert kept.asking is None
    assert asked.values[:, 0].tolist() == kept.values[:, 0].tolist() == [1, 1, 0, 0]
    sample = asked.precision(8)
    weights = np.concatenate(list(patient_weights(people, 400, 0)), axis=1)[:4]
    luck = sample.draws[:, 0] - kept.precision(8).draws[:, 0]
    apart = np.array([1, 1, -1, -1]) @ (weights - 1)
    assert np.corrcoef(luck, apart)[0, 1] > 0.999
    assert 0.8 < np.polyfit(apart, luck, 1)[0] / (0.5 / 4) <= np.sqrt(4 / 3)
    assert kept.precision(8).draws.std() == 0 < sample.draws.std()


def test_ones_own_images_are_no_candidates_and_labels_not_given_are_left_out() -> None:
    codes = np.eye(4, dtype=np.float32)[[0, 0, 1, 2]]
    truth = np.array([[1.0], [1.0], [0.0], [np.nan]])
    people = ["a", "a", "b", "c"]
    found = class_retrieval(
        *("m", codes[:1], ["x"], codes, truth, ["x"], people),
        query="image",
        protocol="",
        asking=["a"],
        at=[1],
        resamples=10,
    )
    assert found["precision"]["1"]["value"] == 0
    assert found["precision"]["1"]["chance"] == 0
    with pytest.raises(EvaluationError, match="precision at 2 needs as many candidates"):
        class_retrieval(
            *("m", codes[:1], ["x"], codes, truth, ["x"], people),
            query="image",
            protocol="",
            asking=["a"],
            at=[2],
            resamples=10,
        )


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="the published lists are not beside this copy")
@pytest.mark.parametrize(("kind", "a_class"), [("image", 10), ("text", 5)])
def test_the_published_lists_are_8_by_200(kind: str, a_class: int) -> None:
    lists = read_lists(PUBLISHED, kind)
    assert len(lists.names) == 8
    assert (lists.truth == 1).sum(axis=0).tolist() == [200] * 8
    assert [lists.classes.count(name) for name in lists.names] == [a_class] * 8
    assert patient_of(lists.paths[0]) == "patient21230"
    with pytest.raises(EvaluationError, match=r"1,\d+ of the 1,\d+ images .* --images"):
        locate([*lists.paths, *(lists.queries if kind == "image" else ())], PUBLISHED)


def rewrite(path: Path, old: str, new: str) -> None:
    content = path.read_text()
    assert old in content
    path.write_text(content.replace(old, new, 1))


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("query.csv", "Variable", "Varable", "no column 'Variable'; did you mean 'Varable'"),
        ("query.csv", "Edema", "Edemas", "row 5: the class 'Edemas' .* did you mean 'Edema'"),
        ("query.csv", "Atelectasis,", ",", "row 2: 'Variable' is empty"),
        ("candidate.csv", ",1.0", ",2.0", "row 2, column 'Atelectasis': '2.0' is none of 1, 0"),
        ("candidate.csv", "view2", "view1", "row 3: .* stands in row 2 too"),
        ("candidate.csv", ",0.0\n", "\n", "row 2: has more or fewer cells"),
        ("candidate.csv", "patient00000/study1/view1", "patient00010/study1/view1", "itself a"),
    ],
)
def test_faulty_lists_name_the_row(fake: Path, file, old, new, message) -> None:
    rewrite(fake / "lists" / "image-retrieval" / file, old, new)
    with pytest.raises(EvaluationError, match=message) as caught:
        read_lists(fake / "lists")
    assert file in str(caught.value)


def test_lists_of_fewer_candidates_than_the_least_depth(fake: Path) -> None:
    file = fake / "lists" / "image-retrieval" / "candidate.csv"
    rows = file.read_text().splitlines(keepends=True)
    file.write_text("".join(rows[:5]))
    with pytest.raises(EvaluationError, match=r"has 4 candidates, and precision at 5"):
        read_lists(fake / "lists")


def test_lists_that_are_not_there(fake: Path) -> None:
    with pytest.raises(EvaluationError, match=r"there is no .*query\.csv"):
        read_lists(fake)
    (fake / "lists" / "text-retrieval" / "query.csv").write_bytes(b"Variable,Text\n\xff\xfe,x\n")
    with pytest.raises(EvaluationError, match="not a CSV file in UTF-8"):
        read_lists(fake / "lists", "text")


def test_the_verb_reads_encodes_and_scores(fake: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "found.json"
    arguments = ["evaluate", "retrieval-8x200", "--model", "random:test_resnet"]
    arguments += ["--lists", str(fake / "lists"), "--out", str(out)]
    main([*arguments, "--images", str(fake)])
    (row,) = json.loads(out.read_text())
    assert set(row["precision"]) == {"5", "10", "50"}
    rests = row["provenance"]
    assert rests["settings"] == {"seed": 0, "resamples": 1000}
    assert rests["code"] == code_hash()
    film = fake / read_lists(fake / "lists").paths[0]
    film.write_bytes(film.read_bytes() + b"\0")
    main([*arguments, "--images", str(fake)])
    (again,) = json.loads(out.read_text())
    assert again["provenance"]["images"] != rests["images"]
    assert again["provenance"]["lists"] == rests["lists"]
    row = again
    assert "at 50" in capsys.readouterr().out
    main([*arguments, "--images", str(fake / "CheXpert-v1.0-small")])
    assert json.loads(out.read_text()) == [row]
    for extra, words in (
        (["--images", str(fake / "lists")], "69 of the 69 images in the lists are not under"),
        (["--images", str(fake), "--text"], "has no text tower: leave out --text"),
    ):
        with pytest.raises(SystemExit) as stopped:
            main([*arguments, *extra])
        assert stopped.value.code == 2
        assert words in capsys.readouterr().err


def test_a_patient_left_out_neither_asks_nor_is_found() -> None:
    """Against asking anew among the others, of one label and of two."""
    rng = np.random.default_rng(6)
    codes, people = unit(rng, 60), [str(row // 2) for row in range(60)]
    truth = (rng.random((60, 2)) < (0.4, 0.2)).astype(float)
    columns = truth.nonzero()[1]

    def asked(stay: np.ndarray, label: int | None = None):
        names = [person for person, kept in zip(people, stay, strict=True) if kept]
        mine, labels = truth[stay].nonzero()
        chosen = labels == label if label is not None else np.ones(len(mine), dtype=bool)
        given = [names[row] for row in mine]
        found = ask(
            codes[stay][mine], labels, codes[stay], truth[stay], names, given, (3, 5), 20, 0
        )
        return found.precision(5, chosen)

    everyone = np.ones(60, dtype=bool)
    one, both = asked(everyone, 1), asked(everyone)
    shares = [(columns == label).mean() for label in (0, 1)]
    order = np.unique(people)
    for place, person in enumerate(order):
        stay = np.array([other != person for other in people])
        slow = [asked(stay, label).value[0] for label in (0, 1)]
        assert one.left_out[place, 0] == pytest.approx(slow[1])
        assert both.left_out[place, 0] == pytest.approx(np.dot(shares, slow))
    middle = both.left_out.mean()
    jackknife = (len(order) - 1) / len(order) * float(((both.left_out - middle) ** 2).sum())
    found = interval(both).macro
    value = float(both.value[0])
    low, high = wilson_bounds(value, value * (1 - value) / jackknife, 0.95)
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))
