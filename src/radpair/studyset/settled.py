"""The records of all parts as they go into the tables: without the images that repeat others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from radpair.errors import StudySetError
from radpair.studyset.duplicates import Known, Repeat, across_splits, repeats
from radpair.studyset.parts import IMAGE, read_record

Body = dict[str, Any]


class Settled:
    """The records of ``parts`` parts, read again at each pass, duplicates quarantined by ``rule``.

    The pixels of a duplicate stay in their shard; no table names them. A study without another
    image is left out, as one whose images cannot be read.
    """

    def __init__(self, out: Path, parts: int, rule: str) -> None:
        self.out, self.parts, self.rule = out, parts, rule
        self._known = [image for body in _records(out, parts) for image in _known(body)]
        self.repeats = repeats(self._known, rule)

    def __iter__(self) -> Iterator[Body]:
        before = 0
        for body in _records(self.out, self.parts):
            count = len(body["images"])
            gone = {
                place: self.repeats[before + place]
                for place in range(count)
                if before + place in self.repeats
            }
            before += count
            yield self._without(body, gone) if gone else body

    def across(self) -> list[dict[str, Any]]:
        """The near duplicates across splits among the images that stay, a row each."""
        kept = [image for n, image in enumerate(self._known) if n not in self.repeats]
        rows = []
        for place, first, bits in across_splits(kept):
            row: dict[str, Any] = {"bits": bits}
            for prefix, image in (("", kept[place]), ("like_", kept[first])):
                row[f"{prefix}split"] = image.split
                row[f"{prefix}study_id"] = image.study_id
                row[f"{prefix}path"] = image.path
            rows.append(row)
        return rows

    def _without(self, body: Body, gone: dict[int, Repeat]) -> Body:
        images, studies = body["images"], body["studies"]
        left = [0] * len(studies)
        for place, image in enumerate(images):
            left[image["study"]] += place not in gone
        number = {old: new for new, old in enumerate(i for i, n in enumerate(left) if n)}
        lost = {study["study_id"] for study, n in zip(studies, left, strict=True) if not n}
        entries = [
            entry
            for entry in body["quarantine"]
            if entry["kind"] == IMAGE or entry["study_id"] not in lost
        ]
        for place, repeat in gone.items():
            image = images[place]
            study = studies[image["study"]]
            entries.append(self._entry(image, study, repeat, study["study_id"] in lost))
        return {
            **body,
            "images": [
                {**image, "study": number[image["study"]]}
                for place, image in enumerate(images)
                if place not in gone
            ],
            "studies": [{**studies[i], "images": left[i]} for i in number],
            "quarantine": entries,
            "left_out": body["left_out"] + len(lost),
        }

    def _entry(self, image: Body, study: Body, repeat: Repeat, alone: bool) -> dict[str, Any]:
        first = self._known[repeat.first]
        how = (
            "the same pixels"
            if repeat.exact
            else f"near, {repeat.bits} of 256 bits of their likeness codes differ"
        )
        end = ", whose only image it is" if alone else ""
        reason = (
            f"{image['path']}: duplicate of {first.path} of study '{first.study_id}' "
            f"({first.split}), which is kept ({how}); it is left out of study "
            f"'{study['study_id']}' ({study['split']}){end}"
        )
        return {
            "kind": IMAGE,
            "path": image["path"],
            "study_id": study["study_id"],
            "row": image["row"],
            "reason": reason,
        }

    def counts(self) -> dict[str, int]:
        """How many images were left out as exact and as near duplicates, for the manifest."""
        exact = sum(repeat.exact for repeat in self.repeats.values())
        return {"exact_duplicates": exact, "near_duplicates": len(self.repeats) - exact}


def _known(body: Body) -> Iterator[Known]:
    for image in body["images"]:
        study = body["studies"][image["study"]]
        yield Known(
            image["path"],
            study["study_id"],
            study["split"],
            image["content"],
            image["likeness"],
        )


def _records(out: Path, parts: int) -> Iterator[Body]:
    for index in range(parts):
        body = read_record(out, index)
        if body is None:
            raise StudySetError(
                f"{out}: part {index} was altered while the set was written; run the same "
                "command again"
            )
        yield body
