"""Trained weights in place: the teacher, and other models of its architecture."""

from __future__ import annotations

from pathlib import Path

from scripts.engines.arithmetic import Arithmetic
from scripts.student.teacher import clone, load_teacher
from torch import nn


def place_teacher(*, network: nn.Module, path: str | Path, arithmetic: Arithmetic) -> nn.Module:
    """The weights at `path` in a frozen copy of `network`, on the device; see `load_teacher` for what is refused."""
    return arithmetic.place(load_teacher(clone(network), path, device=arithmetic.device))


def place_optional(*, network: nn.Module, path: str | Path, arithmetic: Arithmetic) -> nn.Module | None:
    """As `place_teacher`; None where `path` is empty."""
    return place_teacher(network=network, path=path, arithmetic=arithmetic) if str(path) else None


def model_path(*, model_dir: str, model_name: str, fold: int = -1, member: int = 0) -> Path:
    """`model_name` in `model_dir`; for fold k `model_fold<k>.pt`, and `model_fold<k>_<m>.pt` for its member m > 0."""
    name = f"model_fold{fold}.pt" if member == 0 else f"model_fold{fold}_{member}.pt"
    return Path(model_dir) / (model_name if fold < 0 else name)
