"""Version of the bundle, and the digest of the code from which a model's weights follow."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
# The rooms whose code can move a weight. A change of the report, say, leaves every model what it is.
ROOMS = ("cohort", "data", "engines", "frozen", "objectives", "student", "tasks")


@cache
def code_identity() -> dict[str, str]:
    """`version` of configs/metadata.json, empty where there is none, and `digest`: SHA-256 of the rooms' files."""
    found = hashlib.sha256()
    for room in ROOMS:
        for path in sorted((PACKAGE / room).rglob("*.py")):
            found.update(path.relative_to(PACKAGE).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    metadata = PACKAGE.parent / "configs" / "metadata.json"
    version = json.loads(metadata.read_text(encoding="utf-8"))["version"] if metadata.is_file() else ""
    return {"version": version, "digest": found.hexdigest()}
