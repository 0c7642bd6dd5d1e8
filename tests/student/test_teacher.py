"""Checkpoints that are taken, and those that are refused in one clear line."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from monai.networks.nets import UNet
from safetensors.torch import save_file
from scripts.errors import InputError
from scripts.student.teacher import clone, load_teacher
from torch import nn


def network(**changes) -> nn.Module:
    settings = {"channels": (4, 8), "strides": (2,), "norm": "batch"} | changes
    return UNet(2, 1, 1, **settings)


class Calls:
    """A pickle that wants to run a command when it is read."""

    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        import os

        return os.system, (f"touch {self.target}",)


@pytest.mark.parametrize("form", ["plain", "nested", "legacy", "safetensors"])
def test_accepted_forms(form, tmp_path):
    source = network()
    path = tmp_path / ("model.safetensors" if form == "safetensors" else "model.pt")
    if form == "safetensors":
        save_file(source.state_dict(), path)
    elif form == "nested":
        torch.save({"model": source.state_dict(), "epoch": 3}, path)
    else:
        torch.save(source.state_dict(), path, _use_new_zipfile_serialization=form == "plain")
    teacher = load_teacher(network().train(), path)
    assert all(torch.equal(value, source.state_dict()[key]) for key, value in teacher.state_dict().items())
    assert not any(module.training for module in teacher.modules())
    assert not any(parameter.requires_grad for parameter in teacher.parameters())


@pytest.mark.parametrize("writer", ["torch", "legacy", "pickle-0", "pickle-2", "pickle-5"])
def test_code_is_refused_and_not_run(writer, tmp_path):
    path, mark = tmp_path / "model.pt", tmp_path / "ran"
    content = {"weight": Calls(mark)}
    if writer.startswith("pickle"):
        path.write_bytes(pickle.dumps(content, protocol=int(writer[-1])))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=writer == "torch")
    with pytest.raises(InputError, match="contains code") as caught:
        load_teacher(network(), path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)
    assert not mark.exists()


def test_a_whole_module_is_code_too(tmp_path):
    torch.save(network(), tmp_path / "model.pt")
    with pytest.raises(InputError, match="contains code"):
        load_teacher(network(), tmp_path / "model.pt")


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.95])
@pytest.mark.parametrize("form", ["torch", "legacy", "safetensors"])
def test_truncated(form, share, tmp_path):
    path = tmp_path / ("model.safetensors" if form == "safetensors" else "model.pt")
    if form == "safetensors":
        save_file(network().state_dict(), path)
    else:
        torch.save(network().state_dict(), path, _use_new_zipfile_serialization=form == "torch")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(InputError, match="not a readable"):
        load_teacher(network(), path)


@pytest.mark.parametrize("content", [b"not weights at all\n", b"PK\x03\x04 broken", b"\x89PNG\r\n\x1a\n" * 40])
def test_other_files(content, tmp_path):
    (tmp_path / "model.pt").write_bytes(content)
    with pytest.raises(InputError, match="not a readable"):
        load_teacher(network(), tmp_path / "model.pt")


def test_no_file_and_a_folder(tmp_path):
    with pytest.raises(InputError, match="no such checkpoint"):
        load_teacher(network(), tmp_path / "absent.pt")
    with pytest.raises(InputError, match="is a folder"):
        load_teacher(network(), tmp_path)


def test_another_architecture_is_named_by_its_first_difference(tmp_path):
    path = tmp_path / "model.pt"
    torch.save(network(norm="instance").state_dict(), path)
    with pytest.raises(InputError, match=r"'model\.0\.adn\.N\.weight' is missing"):
        load_teacher(network(), path)
    torch.save(network(channels=(4, 6)).state_dict(), path)
    with pytest.raises(InputError, match=r"has shape \(.*\), needed is \("):
        load_teacher(network(), path)
    torch.save(network().state_dict() | {"extra.weight": torch.zeros(1)}, path)
    with pytest.raises(InputError, match="'extra.weight' is unexpected"):
        load_teacher(network(), path)


def test_contents_that_are_no_state_dict(tmp_path):
    path = tmp_path / "model.pt"
    for content in ([1, 2], {}, {"weight": 3}, {4: torch.zeros(1)}, torch.zeros(3)):
        torch.save(content, path)
        with pytest.raises(InputError, match="state dict"):
            load_teacher(network(), path)
    torch.save({"weight": np.zeros(3)}, path)
    with pytest.raises(InputError):
        load_teacher(network(), path)


def test_values_that_are_not_finite(tmp_path):
    state = network().state_dict()
    state["model.0.conv.weight"][0] = torch.nan
    torch.save(state, tmp_path / "model.pt")
    with pytest.raises(InputError, match="not finite"):
        load_teacher(network(), tmp_path / "model.pt")


def test_clone_shares_nothing():
    source = network().train()
    copied = clone(source)
    with torch.no_grad():
        for value in [*source.parameters(), *source.buffers()]:
            value.add_(1)
    for name, value in copied.state_dict().items():
        assert not torch.equal(value, source.state_dict()[name])
    assert source.training and next(source.parameters()).requires_grad
    assert not copied.training and not next(copied.parameters()).requires_grad
