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


def data_for(bundle: Path, folder: Path) -> dict[str, str]:
    """A few drawn pictures in the layout of the bundle's data set; the repository's own draws them itself."""
    draw = np.random.default_rng(0)

    def picture(path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw.integers(0, 200, (40, 40, 3), dtype=np.uint8)).save(path)

    if "retinal" in bundle.name:
        for child in range(1, 15):
            for side in "LR":
                picture(folder / f"Image_{child:02d}{side}.jpg")
                for observer in ("1stHO", "2ndHO"):
                    mask = np.zeros((40, 40), np.uint8)
                    mask[draw.integers(5, 30) :, 18:22] = 255
                    Image.fromarray(mask).save(folder / f"Image_{child:02d}{side}_{observer}.png")
    elif "classification" in bundle.name:
        for kind in ("melanoma", "nevus", "seborrheic_keratosis"):
            for number in range(8):
                picture(folder / kind / f"{kind}_{number}.jpg")
    return {"dataset_dir": str(folder)} if folder.is_dir() else {}


@pytest.mark.slow
def test_it_is_loaded_checked_and_run(any_bundle: Path, tmp_path: Path) -> None:
    """In a bundle as installed, trained as well, the way that the Zoo's unit tests do it."""
    training = SMALL | data_for(any_bundle, tmp_path / "data")
    images = any_bundle / "sample_data"
    if not any(images.glob("*.png")):
        Image.fromarray(np.full((40, 40, 3), 90, np.uint8)).save(images / "image.png")
    before = {path.relative_to(any_bundle) for path in any_bundle.rglob("*") if "__pycache__" not in path.parts}
    found = from_the_root_folder(any_bundle, tmp_path, training)
    assert found["load train"] and found["load inference"]
    assert found["scripts"] == str(any_bundle / "scripts" / "__init__.py") and found["root"] == str(any_bundle)
    assert found["inference"] == [] and found["train"] == []
    assert found["mistyped"] == "treshold: is no setting; did you mean 'threshold'?"
    assert any((tmp_path / "infer").iterdir()) and (tmp_path / "models" / "model.pt").is_file()
    after = {path.relative_to(any_bundle) for path in any_bundle.rglob("*") if "__pycache__" not in path.parts}
    assert after == before
