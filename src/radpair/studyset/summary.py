"""What a study set holds and what was left out, in the words that a user reads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from radpair.graphs.tables import counted
from radpair.studyset.manifest import NEAR_DUPLICATES, QUARANTINE

LISTED = 20
"""Labels that the summary names; it counts all."""
_UNCOUNTED = {"exact_duplicates": 0, "near_duplicates": 0, "near_across_splits": 0}
"""What the manifests of sets do not count that were made before duplicates were looked for."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a study set holds and what was left out, for the user to read."""

    path: Path
    studies: int
    images: int
    patients: int
    splits: dict[str, int]
    labels: tuple[str, ...]
    quarantined_images: int
    unusable_reports: int
    studies_left_out: int
    source_graphs: int
    pixel_bytes: int
    exact_duplicates: int
    near_duplicates: int
    """Both are among the quarantined images."""
    near_across_splits: int
    """Images that stay and are like one of an earlier split."""
    was_complete: bool
    """True when the set was finished before and nothing was written."""
    trimmed_images: int | None = None
    """Images whose borders were trimmed; None where that was not asked for."""
    remarks: tuple[str, ...] = ()
    """What the source said of its reading, such as what it left out."""
    traces: str = ""
    """Where a set with pseudonyms has its quarantine under its own names."""

    def __str__(self) -> str:
        state = "was complete already" if self.was_complete else "is complete"
        splits = ", ".join(f"{name} {count:,}" for name, count in self.splits.items())
        lines = [
            f"Study set {self.path} {state}: {counted(self.studies, 'study', 'studies')} of "
            f"{counted(self.patients, 'patient')}, {counted(self.images, 'image')} "
            f"({self.pixel_bytes / 1e6:,.1f} MB of pixels).",
            f"Splits: {splits}.",
        ]
        if self.labels:
            more = ", ..." if len(self.labels) > LISTED else "."
            listed = ", ".join(self.labels[:LISTED])
            lines.append(f"{counted(len(self.labels), 'label')}: {listed}{more}")
        if self.trimmed_images is not None:
            lines.append(f"Borders were trimmed of {counted(self.trimmed_images, 'image')}.")
        if self.quarantined_images or self.unusable_reports or self.studies_left_out:
            lines.append(
                f"Quarantined: {counted(self.quarantined_images, 'image')} and "
                f"{counted(self.unusable_reports, 'report')}; "
                f"{counted(self.studies_left_out, 'study', 'studies')} left out for want of an "
                f"image. The reasons are in {self.path / QUARANTINE}."
            )
        lines += [*self._duplicates(), *self.remarks, self.traces]
        return "\n".join(line for line in lines if line)

    def _duplicates(self) -> list[str]:
        lines = []
        if self.exact_duplicates or self.near_duplicates:
            near = f", {self.near_duplicates:,} near" if self.near_duplicates else ""
            lines.append(
                "Duplicates among these, each of an earlier image that stays: "
                f"{self.exact_duplicates:,} exact{near}."
            )
        if self.near_across_splits:
            lines.append(
                f"Kept near duplicates of an image in an earlier split: {self.near_across_splits:,}"
                f", in {self.path / NEAR_DUPLICATES}; --near-duplicates quarantines them."
            )
        return lines


def summary_of(out: Path, manifest: dict[str, Any], was_complete: bool = True) -> Summary:
    """The summary that a manifest gives."""
    counts = _UNCOUNTED | manifest["counts"]
    return Summary(
        path=out,
        labels=tuple(manifest["labels"]),
        was_complete=was_complete,
        remarks=tuple(manifest.get("remarks", ())),
        **{name: counts[name] for name in counts.keys() & Summary.__slots__},
    )
