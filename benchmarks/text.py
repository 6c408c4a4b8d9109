"""Texts read by length against texts padded to the longest of the batch.

    OMP_NUM_THREADS=1 python benchmarks/text.py

Batches of sentences as pretraining draws them, from synthetic reports and from the Open-i reports
(``../shared/data/openi-reports``, left out where absent). Counts the tokens that a language model
reads, padding included, then times forward and backward on one core: the text tower of
``convirt-small``, and two layers of BERT-base's size, of which the tower of ``convirt`` has twelve.
Values in evaluation mode are compared first. Both sides take turns; each ratio is of processor
seconds of one run.
"""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import torch

from radpair.encoders.lengths import EXTRA_CPU, split_by_length
from radpair.encoders.text import TextConfig, TextEncoder, build_bert
from radpair.phantom.report import write
from radpair.phantom.truth import exams
from radpair.reports.tokenizer import train_tokenizer
from radpair.studyset.batch import SentenceStore, TextBatch
from turns import fastest

OPENI = Path(__file__).resolve().parents[2] / "shared" / "data" / "openi-reports" / "reports"
REPORTS, DRAWS = 1000, 20
TOWERS = {
    "2 x 128": TextConfig(layers=2, width=128, heads=4),
    "2 x 768": TextConfig(layers=2, width=768, heads=12),
}


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    corpora = {"synthetic": [write(exam).text for exam in exams(REPORTS, 7)]}
    if OPENI.is_dir():
        corpora["Open-i"] = [openi_text(path) for path in sorted(OPENI.glob("*.xml"))[:REPORTS]]
    for name, reports in corpora.items():
        tokenizer = train_tokenizer(reports, 2000)
        for sentences, longest in ((1, 80), (4, 96)):
            store = SentenceStore(reports, tokenizer, longest, sentences)
            for size in (32, 256):
                compare(f"{name}, {sentences} of a report", store, size)


def openi_text(path: Path) -> str:
    """Findings and impression under their headings."""
    return "\n\n".join(
        f"{part.get('Label')}: {part.text}"
        for part in ElementTree.parse(path).getroot().iter("AbstractText")
        if part.get("Label") in {"FINDINGS", "IMPRESSION"} and part.text
    )


def compare(what: str, store: SentenceStore, size: int) -> None:
    batches = [drawn(store, size, seed) for seed in range(DRAWS)]
    real = sum(sum(batch.lengths or ()) for batch in batches)
    padded = sum(batch.tokens.numel() for batch in batches)
    cuts = [split_by_length(batch.lengths or (), EXTRA_CPU) for batch in batches]
    read = sum(len(rows) * longest for parts in cuts for rows, longest in parts)
    groups = np.mean([len(parts) for parts in cuts])
    print(
        f"{what}, batches of {size}: {real / size / DRAWS:.0f} tokens a text, read "
        f"{padded / real:.2f} times padded to the longest, {read / real:.2f} by length "
        f"({groups:.1f} groups)"
    )
    for name, config in TOWERS.items():
        if size == 32 or name == "2 x 128":
            timed(name, config, batches[0])


def drawn(store: SentenceStore, size: int, seed: int) -> TextBatch:
    rng = np.random.default_rng(seed)
    reports = rng.choice(np.flatnonzero(store.count()), size, replace=False)
    return store.take([store.pick(int(report), rng) for report in reports])


def timed(name: str, config: TextConfig, batch: TextBatch) -> None:
    model = TextEncoder(config, build_bert(config, 2000)).eval()
    sides = [(batch.tokens, batch.mask, batch.lengths), (batch.tokens, batch.mask)]
    with torch.no_grad():
        torch.testing.assert_close(model(*sides[0]), model(*sides[1]), atol=1e-5, rtol=1e-5)
    model.train()
    ours, padded = fastest(*(lambda side=side: model(*side).sum().backward() for side in sides))
    print(f"  {name}: {ours * 1e3:.0f} ms, padded {padded * 1e3:.0f} ms, ratio {padded / ours:.2f}")


if __name__ == "__main__":
    main()
