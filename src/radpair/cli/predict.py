"""``radpair predict``."""

from __future__ import annotations

from pathlib import Path


def predict(
    *,
    model: Path,
    data: Path,
    out: Path,
    split: str = "all",
    views: str | None = None,
    device: str = "cpu",
) -> None:
    """Write a fine-tuned classifier's probabilities: one row a study, one column a label.

    Args:
        model: A folder that 'radpair evaluate fine-tune --save' wrote.
        data: The study set.
        out: The table to write (.csv): study_id and patient_id, then each label's probability.
        split: 'all', 'train', 'validate' or 'test'.
        views: What a study of several images has: the 'mean' of their probabilities or the 'max';
            that of the classifier's own figures if not given. 'separate' writes one row an image,
            with its path in the column 'image'.
        device: 'cpu' or 'cuda'.
    """
    from radpair.evaluation.fine_tune.predict import write_predictions

    print(write_predictions(model, data, out, split, device, views))
