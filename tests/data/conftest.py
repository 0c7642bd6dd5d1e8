"""Tiny files in official layouts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

WIDTH, HEIGHT = 12, 8  # not square: axes that are mixed up show


@pytest.fixture
def picture() -> Callable[..., Path]:
    """Write a noisy picture of the given mode."""

    def write(path: Path, *, size: tuple[int, int] = (WIDTH, HEIGHT), seed: int = 0, mode: str = "RGB") -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        Image.fromarray(pixels).convert(mode).save(path)
        return path

    return write


@pytest.fixture
def mask() -> Callable[..., Path]:
    """Write a mask whose top left quarter is foreground."""

    def write(path: Path, *, size: tuple[int, int] = (WIDTH, HEIGHT), values: tuple[int, int] = (0, 255)) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.full((size[1], size[0]), values[0], dtype=np.uint8)
        pixels[: size[1] // 2, : size[0] // 2] = values[1]
        Image.fromarray(pixels).save(path)
        return path

    return write
