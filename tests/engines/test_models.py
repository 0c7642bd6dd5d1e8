"""Weights from disk into a frozen copy."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from scripts.engines.models import model_path, place_optional, place_teacher
from scripts.errors import InputError


def test_teacher_is_a_frozen_copy_with_the_weights_of_the_file(bench) -> None:
    network = bench.network(seed=5)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    teacher = place_teacher(network=network, path=bench.model_dir / "model.pt", arithmetic=bench.arithmetic)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    expected = bench.teacher.state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in teacher.state_dict().items())
    assert not teacher.training and not any(parameter.requires_grad for parameter in teacher.parameters())


def test_a_model_that_need_not_be_there(bench) -> None:
    assert place_optional(network=bench.network(), path="", arithmetic=bench.arithmetic) is None
    path = bench.model_dir / "model_fold0.pt"
    assert place_optional(network=bench.network(), path=path, arithmetic=bench.arithmetic) is not None
    with pytest.raises(InputError, match="no such checkpoint"):
        place_optional(network=bench.network(), path=bench.model_dir / "none.pt", arithmetic=bench.arithmetic)


def test_folds_and_their_members_have_files_of_their_own() -> None:
    assert model_path(model_dir="m", model_name="model.pt") == Path("m/model.pt")
    assert model_path(model_dir="m", model_name="model.pt", fold=3) == Path("m/model_fold3.pt")
    assert model_path(model_dir="m", model_name="model.pt", fold=3, member=2) == Path("m/model_fold3_2.pt")
