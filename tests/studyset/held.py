"""Sources that make a worker stop in the middle of a part, or fail there."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from gradients import Gradients
from numpy.typing import NDArray

from radpair.records import Study

HELD = "s00009"


class Held(Gradients):
    """The first reading of one study does not end while the file ``gate`` is there."""

    def __init__(self, count: int, folder: Path) -> None:
        super().__init__(count)
        self.folder = folder
        self.gate.touch()

    @property
    def gate(self) -> Path:
        return self.folder / "gate"

    def reader(self) -> int:
        """The process that was the first to read the study, or 0."""
        begun = self.folder / "begun"
        return int(begun.read_text() or 0) if begun.exists() else 0

    def read(self, study: Study, view: int) -> NDArray[np.uint8]:
        if study.study_id == HELD and self._is_first():
            while self.gate.exists():
                time.sleep(0.02)
        return super().read(study, view)

    def _is_first(self) -> bool:
        try:
            with (self.folder / "begun").open("x") as file:
                file.write(str(os.getpid()))
        except FileExistsError:
            return False
        return True


class Failing(Gradients):
    """Fails at one study."""

    def __init__(self, count: int, error: Exception) -> None:
        super().__init__(count)
        self.error = error

    def options(self) -> dict[str, Any]:
        return {}

    def read(self, study: Study, view: int) -> NDArray[np.uint8]:
        if study.study_id == HELD:
            raise self.error
        return super().read(study, view)
