"""Dark pictures become lighter and stay what they show; others stay as they are."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scripts.enhancement.__main__ import RECORD, enhance_folder
from scripts.enhancement.aims import HIGH, LOW, Aims, Change, entropy, outside
from scripts.enhancement.search import enhanced
from scripts.errors import InputError


def picture(level: float, *, size: int = 64) -> np.ndarray:
    """A disc with texture on a darker ground, of about this mean."""
    rows, columns = np.mgrid[:size, :size] - size / 2
    draw = np.random.default_rng(0)
    shown = 0.5 + 0.5 * (np.hypot(rows, columns) < size / 3) + 0.15 * draw.standard_normal((size, size))
    return (level * shown / shown.mean()).clip(0, 1).astype(np.float32)


def test_a_change_that_changes_nothing() -> None:
    dark = picture(0.1)
    assert np.allclose(Change().apply(dark), dark, atol=1e-6)
    assert Change(brightness=2.0).apply(dark).max() == 1 and Change(brightness=-2.0).apply(dark).max() == 0


def test_entropy_of_known_pictures() -> None:
    assert entropy(np.zeros((8, 8), np.float32)) == 0
    halves = np.zeros((8, 8), np.float32)
    halves[:4] = 1
    assert entropy(halves) == pytest.approx(1)
    assert entropy(np.linspace(0, 0.999, 256, dtype=np.float32).reshape(16, 16)) == pytest.approx(8)


@pytest.mark.parametrize(("mean", "expected"), [(0.1, LOW - 0.1), (0.5, 0.0), (0.9, 0.9 - HIGH)])
def test_brightness_outside_of_what_is_wanted(mean: float, expected: float) -> None:
    assert outside(mean) == pytest.approx(expected)


def test_a_dark_picture_is_lighter_richer_and_still_the_same() -> None:
    dark = picture(0.12)
    change = enhanced(dark)
    mended = change.apply(dark)
    assert LOW - 0.02 <= float(mended.mean()) <= HIGH + 0.02
    assert entropy(mended) > entropy(dark)
    assert np.corrcoef(mended.flatten(), dark.flatten())[0, 1] > 0.9
    assert Aims(dark).of(change)[1] < 0.5
    assert enhanced(dark) == change  # no chance is in it


def test_a_picture_that_needs_nothing_is_left(tmp_path: Path) -> None:
    assert enhanced(picture(0.5)) == Change()


def test_a_folder_is_enhanced_once_and_each_picture_has_its_record(tmp_path: Path) -> None:
    source, target = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    for name, level in (("dark", 0.1), ("fine", 0.5)):
        Image.fromarray((picture(level) * 255).astype(np.uint8)).save(source / f"{name}.jpg")
    assert enhance_folder(source, target) == (1, 0)
    record = json.loads((target / f"dark{RECORD}").read_text())
    assert record["mean_brightness"]["after"] > 2 * record["mean_brightness"]["before"]
    assert json.loads((target / f"fine{RECORD}").read_text())["change"]["gamma"] == 1.0
    assert enhance_folder(source, target) == (0, 2)
    Image.fromarray((picture(0.2) * 255).astype(np.uint8)).save(source / "dark.jpg")
    assert enhance_folder(source, target) == (1, 1)
    assert (target.stat().st_mode & 0o777) == 0o700


def test_what_cannot_be_enhanced_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        enhance_folder(tmp_path / "none", tmp_path / "out")
    with pytest.raises(InputError, match="no picture; looked for"):
        enhance_folder(tmp_path, tmp_path / "out")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"broken\.png: cannot be read as a picture"):
        enhance_folder(tmp_path, tmp_path / "out")
    with pytest.raises(InputError, match="folder of the pictures themselves"):
        enhance_folder(tmp_path, tmp_path)


def test_the_command_says_one_line(tmp_path: Path, repository: Path) -> None:
    line = [sys.executable, "-m", "scripts.enhancement", str(tmp_path / "none"), str(tmp_path / "out")]
    done = subprocess.run(line, cwd=repository, capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr == f"error: {tmp_path / 'none'}: no such folder\n"
