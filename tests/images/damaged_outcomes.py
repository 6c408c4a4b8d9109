"""Decodes files one after the other in a process of its own, and says what became of each.

python tests/images/damaged_outcomes.py FOLDER NAMES.json
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from pathlib import Path

from radpair.errors import ImageError
from radpair.images import decode


def outcome(path: Path) -> dict[str, object]:
    """Shape and hash of the pixels, or the reason of the refusal; and the seconds it took."""
    begun = time.monotonic()
    try:
        pixels = decode(path)
    except ImageError as error:
        found = {"reason": str(error)}
    else:
        digest = hashlib.sha256(pixels.tobytes()).hexdigest()
        found = {"shape": [*pixels.shape], "kind": str(pixels.dtype), "pixels": digest}
    return {**found, "seconds": time.monotonic() - begun}


def peak() -> int:
    """Most resident memory of this process in bytes.

    Not by getrusage, whose figure may be that of the process that started this one.
    """
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024


if __name__ == "__main__":
    folder, names = Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text())
    told = {name: outcome(folder / name) for name in names}
    print(json.dumps({"files": told, "peak": peak()}))
