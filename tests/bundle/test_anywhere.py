"""MONAI's Python API on a bundle, from the root folder, in a Python whose path holds nothing of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

PROGRAM = Path(__file__).with_name("anywhere.py")
SMALL = {"epochs": 1, "image_size": 32, "progress": False, "validate_every": 1, "folds": 0}


def from_the_root_folder(bundle: Path, output: Path, training: dict[str, Any]) -> dict[str, Any]:
    """What `anywhere.py` found; -P keeps its own folder off the path."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    line = [sys.executable, "-P", str(PROGRAM), str(bundle), str(output), json.dumps(training)]
    own = {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}  # other tests share the bundle
    done = subprocess.run(line, cwd="/", env={**kept, **own}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-5000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.slow
def test_it_is_loaded_checked_and_run(any_bundle: Path, tmp_path: Path) -> None:
    """In a bundle as installed; the repository's own is trained as well, the way that the Zoo's unit tests do it."""
    trains = any_bundle.name == "bundle"
    images = any_bundle / "sample_data"
    if not any(images.glob("*.png")):
        Image.fromarray(np.full((40, 40, 3), 90, np.uint8)).save(images / "image.png")
    before = {path.relative_to(any_bundle) for path in any_bundle.rglob("*") if "__pycache__" not in path.parts}
    found = from_the_root_folder(any_bundle, tmp_path, SMALL if trains else {})
    assert found["load train"] and found["load inference"]
    assert found["scripts"] == str(any_bundle / "scripts" / "__init__.py") and found["root"] == str(any_bundle)
    assert found["inference"] == [] and found.get("train", []) == []
    assert found["mistyped"] == "treshold: is no setting; did you mean 'threshold'?"
    assert any((tmp_path / "infer").iterdir()) and (tmp_path / "models" / "model.pt").is_file() is trains
    after = {path.relative_to(any_bundle) for path in any_bundle.rglob("*") if "__pycache__" not in path.parts}
    assert after == before
