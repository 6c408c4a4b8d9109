from __future__ import annotations

import copy
import pickle
import tempfile
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from discs import report_of
from radpair.errors import StudySetError
from radpair.graphs import extract
from radpair.images.augment import AugmentationConfig
from radpair.phantom.report import write
from radpair.phantom.truth import exams
from radpair.records import Graph
from radpair.reports.tokenizer import train_tokenizer
from radpair.studyset import StudySet, batch
from radpair.studyset.batch import (
    GraphStore,
    PairData,
    PairSettings,
    SentenceStore,
    report_contents,
    text_batch,
    usable_sentences,
)
from radpair.studyset.kept import text_hash
from radpair.studyset.tensors import SparseRows

REPORTS = [report_of(("left", "right", "")[n % 3], n) for n in range(9)] + ["FINDINGS: Clear."]
WORDPIECE = train_tokenizer(REPORTS, 120)


def test_short_sentences_are_dropped() -> None:
    """ConVIRT, section 4.1: three words or fewer."""
    text = "FINDINGS: No acute disease. The lungs are clear. Normal."
    assert usable_sentences(text) == ["The lungs are clear."]


def test_one_sentence_is_that_sentence() -> None:
    store = SentenceStore(REPORTS, WORDPIECE, 40)
    assert store.count().tolist() == [2] * 9 + [0]
    sentences = [text for report in REPORTS for text in usable_sentences(report)]
    wanted = [np.array([5]), np.array([0])]
    expected = text_batch([sentences[5], sentences[0]], WORDPIECE, 40)
    found = store.take(wanted)
    assert found.tokens.equal(expected.tokens)
    assert found.mask.equal(expected.mask)


@settings(max_examples=30, deadline=None)
@given(st.integers(10, 40), st.integers(0, 8))
def test_several_sentences_are_one_text(max_tokens: int, report: int) -> None:
    store = SentenceStore(REPORTS, WORDPIECE, max_tokens, together=2)
    group = store.pick(report, np.random.default_rng(report))
    assert group.tolist() == [2 * report, 2 * report + 1]
    first, second = (WORDPIECE.encode(text).ids for text in usable_sentences(REPORTS[report]))
    ids = [*first[:max_tokens], *second[1:max_tokens]]
    expected = ids if len(ids) <= max_tokens else [*ids[: max_tokens - 1], ids[-1]]
    found = store.take([group])
    assert found.tokens[0][found.mask[0]].tolist() == expected


def test_a_long_sentence_keeps_its_ends() -> None:
    """Defect 7: [CLS] and [SEP] stay when a text is cut."""
    sentence = "The bright left disc " + "and the heart " * 30
    batch = text_batch([sentence, "a disc"], WORDPIECE, 16)
    stored = SentenceStore([sentence], WORDPIECE, 16).take([np.array([0])])
    assert stored.lengths == (16,)
    for tokens in (batch.tokens[0], stored.tokens[0]):
        assert tokens.shape == (16,)
        assert tokens[0] == WORDPIECE.token_to_id("[CLS]")
        assert tokens[-1] == WORDPIECE.token_to_id("[SEP]")
    assert batch.lengths == tuple(batch.mask.sum(1).tolist())


def pairs(path: Path, *, random: bool = True, seed: int = 0) -> PairData:
    studies = StudySet.open(path)
    texts = SentenceStore(studies.reports, WORDPIECE, 40)
    graphs = GraphStore([g or Graph("") for g in studies.graphs()], WORDPIECE, context=False)
    chosen = PairSettings(32, AugmentationConfig() if random else None, seed)
    return PairData(studies, studies.split("train"), chosen, texts, graphs)


def test_a_study_is_drawn_alike_in_any_batch(disc_set: Path) -> None:
    data = pairs(disc_set)
    many, alone = data.batch(np.arange(8), 3), data.batch(np.array([5]), 3)
    assert many.pixels[5].equal(alone.pixels[0])
    assert many.text_content[5] == alone.text_content[0]
    assert many.text.tokens[5][many.text.mask[5]].equal(alone.text.tokens[0])
    later = data.batch(np.array([5]), 4)
    assert not later.pixels[0].equal(alone.pixels[0])
    assert not pairs(disc_set, seed=1).batch(np.array([5]), 3).pixels[0].equal(alone.pixels[0])


def test_validation_takes_the_whole_film_and_the_first_sentence(disc_set: Path) -> None:
    data = pairs(disc_set, random=False)
    one, two = data.batch(np.arange(4), 0), data.batch(np.arange(4), 9)
    assert one.pixels.equal(two.pixels)
    first = text_batch(
        [usable_sentences(StudySet.open(disc_set).reports[s])[0] for s in data.members[:4]],
        WORDPIECE,
        40,
    )
    assert one.text.tokens.equal(first.tokens)


@pytest.mark.parametrize("report", ["", "FINDINGS: Clear."])
def test_studies_without_a_partner_are_left_out_and_counted(disc_set: Path, report: str) -> None:
    studies = StudySet.open(disc_set)
    texts = SentenceStore([report, *studies.reports[1:]], WORDPIECE, 40)
    members = np.arange(10)
    data = PairData(studies, members, PairSettings(32, None, 0), texts, None)
    assert data.members.tolist() == list(range(1, 10))
    assert data.without_partner == 1


def test_a_batch_of_graphs_is_its_graphs_side_by_side(disc_set: Path) -> None:
    studies = StudySet.open(disc_set)
    store = GraphStore([g or Graph("") for g in studies.graphs()], WORDPIECE, context=False)
    small, large = sorted([4, 2], key=lambda n: int(store.entities[n]))
    both = store.take(np.array([large, small]))
    one, two = store.take(np.array([small])), store.take(np.array([large]))
    assert both.sizes == one.sizes + two.sizes
    assert both.place.tolist() == [1, 0]
    assert both.kind.equal(torch.cat([one.kind, two.kind]))
    assert both.pieces.equal(torch.cat([one.pieces, two.pieces]))
    assert both.start.tolist() == [0, len(one.kind), len(one.kind) + len(two.kind)]


def test_both_orders_of_the_relations_are_one_matrix(disc_set: Path) -> None:
    studies = StudySet.open(disc_set)
    store = GraphStore([g or Graph("") for g in studies.graphs()], WORDPIECE, context=False)
    batch = store.take(np.array([7, 1, 4]))
    for matrix in (batch.relations.gather, batch.relations.scatter, batch.pool):
        dense, transposed = dense_form(matrix.rows), dense_form(matrix.transposed)
        width = len(matrix.transposed.start) - 1
        assert np.array_equal(dense[:, :width], transposed.T[: len(dense)])


def dense_form(rows: SparseRows) -> np.ndarray:
    start = rows.start.tolist()
    out = np.zeros((len(start) - 1, int(rows.column.max()) + 1), np.float32)
    for row in range(len(out)):
        for entry in range(start[row], start[row + 1]):
            out[row, rows.column[entry]] += rows.weight[entry]
    return out


WORDS = st.sampled_from(["the", "Heart", "lungs", "are", "clear", "no", "12", "mm.", "ödem", "\n"])
ANY_REPORTS = st.lists(
    st.one_of(
        st.sampled_from(["", *REPORTS]),
        st.lists(WORDS, max_size=40).map(" ".join),
        st.text(max_size=60),
    ),
    max_size=8,
)


def same(one: Any, other: Any) -> None:
    """Two batches, whatever they are made of."""
    assert type(one) is type(other)
    if isinstance(one, torch.Tensor):
        assert one.dtype == other.dtype
        assert one.equal(other)
    elif hasattr(one, "__dataclass_fields__"):
        for field in fields(one):
            same(getattr(one, field.name), getattr(other, field.name))
    else:
        assert one == other


@settings(max_examples=40, deadline=None)
@given(ANY_REPORTS, st.integers(8, 40), st.integers(1, 3), st.integers(0, 99))
def test_kept_sentences_are_those_in_memory(
    reports: list[str], max_tokens: int, together: int, seed: int
) -> None:
    """At the first start, at the next, and in another process."""
    asked = (reports, WORDPIECE, max_tokens, together)
    plain = SentenceStore(*asked)
    usable = np.flatnonzero(plain.count())
    with tempfile.TemporaryDirectory() as folder:
        first, again = (SentenceStore(*asked, Path(folder)) for _ in range(2))
        for kept in (first, again, copy.deepcopy(again)):
            assert kept.count().tolist() == plain.count().tolist()
            drawn = [
                [store.pick(int(report), np.random.default_rng(seed)) for report in usable]
                for store in (plain, kept)
            ]
            assert [group.tolist() for group in drawn[0]] == [group.tolist() for group in drawn[1]]
            if len(usable):
                same(kept.take(drawn[1]), plain.take(drawn[0]))
            assert kept.contents(drawn[1]).tolist() == plain.contents(drawn[0]).tolist()
        contents = [report_contents(reports, cache)["content"] for cache in (Path(folder), None)]
        assert contents[0].tolist() == contents[1].tolist()


GRAPHS = [*[extract(write(exam).text) for exam in exams(12, 5)], Graph(""), Graph("no words")]


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.sampled_from(GRAPHS), min_size=1, max_size=8), st.booleans(), st.integers(10, 60)
)
def test_kept_graphs_are_those_in_memory(graphs: list[Graph], context: bool, window: int) -> None:
    plain = GraphStore(graphs, WORDPIECE, context=context, window=window)
    hashed = text_hash(map(repr, graphs))
    with tempfile.TemporaryDirectory() as folder:
        cache = (Path(folder), hashed)
        first = GraphStore(graphs, WORDPIECE, context=context, window=window, cache=cache)
        again = GraphStore([], WORDPIECE, context=context, window=window, cache=cache)
        wanted = np.random.default_rng(window).permutation(len(graphs))
        for kept in (first, again, copy.deepcopy(again)):
            same(kept.take(wanted), plain.take(wanted))
            assert kept.content.tolist() == plain.content.tolist()
            assert kept.entities.tolist() == plain.entities.tolist()


@pytest.mark.parametrize(
    "change", ["reports", "order", "tokenizer", "tokenizers", "max_tokens", "shortest"]
)
def test_other_texts_tokenizers_and_lengths_are_not_mixed_up(
    change: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reports, wordpiece, longest = REPORTS, WORDPIECE, 40
    SentenceStore(reports, wordpiece, longest, 1, tmp_path)
    if change == "reports":
        reports = [*REPORTS[:-1], "FINDINGS: The lungs are now clear."]
    elif change == "order":
        reports = REPORTS[::-1]
    elif change == "tokenizer":
        wordpiece = train_tokenizer(REPORTS, 60)
    elif change == "tokenizers":
        monkeypatch.setattr("tokenizers.__version__", "0.0.0")
    elif change == "max_tokens":
        longest = 9
    else:
        monkeypatch.setattr(batch, "SHORTEST_SENTENCE", 1)
    kept = SentenceStore(reports, wordpiece, longest, 1, tmp_path)
    plain = SentenceStore(reports, wordpiece, longest)
    every = [np.array([number]) for number in range(int(plain.start[-1]))]
    same(kept.take(every), plain.take(every))
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("reports", [[*REPORTS[:-1], "FINDINGS: Unclear."], REPORTS[::-1]])
def test_other_reports_have_contents_of_their_own(reports: list[str], tmp_path: Path) -> None:
    """As many as before; else wrong pairs would count as positives."""
    before = report_contents(REPORTS, tmp_path)["content"].tolist()
    found = report_contents(reports, tmp_path)["content"].tolist()
    assert found == report_contents(reports)["content"].tolist() != before


@pytest.mark.parametrize("change", ["graphs", "tokenizer", "window", "context"])
def test_other_graphs_tokenizers_and_windows_are_not_mixed_up(change: str, tmp_path: Path) -> None:
    graphs, wordpiece, window, context = GRAPHS, WORDPIECE, 30, True
    GraphStore(graphs, wordpiece, context=context, window=window, cache=(tmp_path, "a"))
    if change == "graphs":
        graphs = GRAPHS[::-1]
    elif change == "tokenizer":
        wordpiece = train_tokenizer(REPORTS, 60)
    elif change == "window":
        window = 40
    else:
        context = False
    cache = tmp_path, "b" if change == "graphs" else "a"
    kept = GraphStore(graphs, wordpiece, context=context, window=window, cache=cache)
    plain = GraphStore(graphs, wordpiece, context=context, window=window)
    every = np.arange(len(graphs))
    same(kept.take(every), plain.take(every))
    assert kept.content.tolist() == plain.content.tolist()
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("kind", ["sentences", "graphs", "reports"])
def test_altered_texts_are_refused(kind: str, tmp_path: Path) -> None:
    def made() -> None:
        SentenceStore(REPORTS, WORDPIECE, 40, 1, tmp_path)
        GraphStore(GRAPHS, WORDPIECE, context=True, cache=(tmp_path, "a"))
        report_contents(REPORTS, tmp_path)

    made()
    (file,) = tmp_path.glob(f"{kind}-*/arrays.bin")
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    with pytest.raises(StudySetError, match=r"arrays\.bin: was altered"):
        made()


def test_a_worker_is_sent_little(disc_set: Path, tmp_path: Path) -> None:
    studies = StudySet.open(disc_set)
    found = [g or Graph("") for g in studies.graphs()]
    chosen = PairSettings(32, AugmentationConfig(), 0)
    members = studies.split("train")
    kept = PairData(
        studies,
        members,
        chosen,
        SentenceStore(studies.reports, WORDPIECE, 40, 1, tmp_path),
        GraphStore(found, WORDPIECE, context=True, cache=(tmp_path, "a")),
        report_contents(studies.reports, tmp_path),
    )
    assert len(pickle.dumps(kept)) < 2500 + 8 * len(members)
    plain = PairData(
        studies,
        members,
        chosen,
        SentenceStore(studies.reports, WORDPIECE, 40),
        GraphStore(found, WORDPIECE, context=True),
    )
    expected = plain.batch(np.arange(9), 2)
    for data in (kept, copy.deepcopy(kept), copy.deepcopy(plain)):
        same(data.batch(np.arange(9), 2), expected)
