"""``radpair predict``."""

from __future__ import annotations

from pathlib import Path


def predict(*, model: Path, data: Path, out: Path, split: str = "all", device: str = "cpu") -> None:
    """Write a fine-tuned classifier's probabilities: one row a study, one column a label.

    Args:
        model: A folder that 'radpair evaluate fine-tune --save' wrote.
        data: The study set.
        out: The table to write (.csv): study_id and patient_id, then each label's probability.
        split: 'all', 'train', 'validate' or 'test'.
        device: 'cpu' or 'cuda'.
    """
    from radpair.evaluation.fine_tune.predict import write_predictions

    print(write_predictions(model, data, out, split, device))
