"""Masks of pictures are PNG; what a client asks for, and volumes, stay."""

from __future__ import annotations

import pytest
import torch
from scripts.label.result import MaskAsPngd


@pytest.mark.parametrize(
    ("shape", "asked", "found"),
    [((4, 5), None, ".png"), ((4, 5), "", ".png"), ((4, 5), ".nii.gz", ".nii.gz"), ((4, 5, 3), None, None)],
)
def test_extension(shape: tuple[int, ...], asked: str | None, found: str | None) -> None:
    given = {"pred": torch.zeros(shape)} | ({} if asked is None else {"result_extension": asked})
    assert MaskAsPngd("pred")(given).get("result_extension") == found
