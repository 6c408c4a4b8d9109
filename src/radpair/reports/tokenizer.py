"""WordPiece tokenizers: trained on a corpus, or the one that belongs to given weights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing

from radpair.reports.vocabulary import wordpieces

PAD, UNKNOWN, START, END, MASK = "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"


def train_tokenizer(texts: Iterable[str], vocabulary: int) -> Tokenizer:
    """A lower-case BERT WordPiece tokenizer with at most ``vocabulary`` pieces.

    The same texts give the same tokenizer in every process.
    """
    normalizer, splitter = BertNormalizer(lowercase=True), BertPreTokenizer()
    words = Counter(
        word
        for text in texts
        for word, _ in splitter.pre_tokenize_str(normalizer.normalize_str(text))
    )
    special = [PAD, UNKNOWN, START, END, MASK]
    pieces = special + wordpieces(words, vocabulary - len(special))
    model = WordPiece(
        {piece: number for number, piece in enumerate(pieces)},
        unk_token=UNKNOWN,
        max_input_chars_per_word=64,
    )
    tokenizer = Tokenizer(model)
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizer, splitter
    tokenizer.add_special_tokens(special)
    tokenizer.post_processor = TemplateProcessing(
        single=f"{START} $A {END}",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in (START, END)],
    )
    return tokenizer


def read_tokenizer(path: Path) -> Tokenizer:
    """Reads a ``tokenizer.json``."""
    return Tokenizer.from_str(path.read_text(encoding="utf-8"))
