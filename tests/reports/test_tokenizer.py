from __future__ import annotations

import itertools
import subprocess
import sys
from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.trainers import WordPieceTrainer

from radpair.reports.tokenizer import END, PAD, START, train_tokenizer
from radpair.reports.vocabulary import PREFIX, wordpieces

CORPUS = [
    "There is a small left pleural effusion with adjacent atelectasis.",
    "No pneumothorax. The heart is mildly enlarged.",
    "Increased interstitial markings may represent edema.",
    "Stable right upper lobe nodule measuring 12 mm.",
] * 7


def slow_wordpieces(words: dict[str, int], size: int) -> list[str]:
    """Counts every pair anew before each merge."""
    split = {word: [word[0], *(PREFIX + c for c in word[1:])] for word in words}
    found = sorted({piece for pieces in split.values() for piece in pieces})[:size]
    while len(found) < size:
        counts: Counter[tuple[str, str]] = Counter()
        for word, pieces in split.items():
            for pair in itertools.pairwise(pieces):
                counts[pair] += words[word]
        if not counts:
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        if counts[best] < 2:
            break
        merged = best[0] + best[1].removeprefix(PREFIX)
        if merged not in found:
            found.append(merged)
        for word, pieces in split.items():
            out: list[str] = []
            while pieces:
                take = 2 if tuple(pieces[:2]) == best else 1
                out.append(merged if take == 2 else pieces[0])
                pieces = pieces[take:]
            split[word] = out
    return found


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.text("abc", min_size=1, max_size=8), st.integers(1, 9), min_size=1),
    st.integers(3, 40),
)
def test_equals_the_slow_version(words: dict[str, int], size: int) -> None:
    assert wordpieces(words, size) == slow_wordpieces(words, size)


def test_agrees_with_the_library_apart_from_ties() -> None:
    rng = np.random.default_rng(0)
    words = ["".join(rng.choice(list("abcdefgh"), rng.integers(2, 9))) for _ in range(80)]
    counts = {word: int(40_000 / (rank + 1) ** 1.3) + rank for rank, word in enumerate(words)}
    corpus = [f"{word} " * count for word, count in counts.items()]
    library = Tokenizer(WordPiece(unk_token="[UNK]"))
    library.pre_tokenizer = BertPreTokenizer()
    library.train_from_iterator(corpus, WordPieceTrainer(vocab_size=100, show_progress=False))
    ours = wordpieces(counts, 100)
    assert len(set(library.get_vocab()) & set(ours)) >= 80
    own = Tokenizer(
        WordPiece({piece: n for n, piece in enumerate([*ours, "[UNK]"])}, unk_token="[UNK]")
    )
    used = [
        sum(len(tokenizer.encode(word).ids) * count for word, count in counts.items())
        for tokenizer in (library, own)
    ]
    assert abs(used[0] - used[1]) < 0.01 * used[0]


def test_every_process_gets_the_same_vocabulary() -> None:
    script = (
        "import sys; from radpair.reports.tokenizer import train_tokenizer\n"
        "print(train_tokenizer(sys.argv[1:], 90).to_str())"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", script, *CORPUS], capture_output=True, text=True, check=True
        ).stdout
        for _ in range(3)
    }
    assert len(found) == 1


def test_texts_begin_and_end_and_nothing_is_unknown() -> None:
    tokenizer = train_tokenizer(CORPUS, 200)
    encoded = tokenizer.encode("No pleural EFFUSION.")
    assert (encoded.tokens[0], encoded.tokens[-1]) == (START, END)
    assert "[UNK]" not in encoded.tokens
    assert tokenizer.token_to_id(PAD) == 0
