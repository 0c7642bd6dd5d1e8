"""A saved student comes back bit for bit, to the very teacher it was made for, or not at all."""

from __future__ import annotations

import copy
import json

import pytest
import torch
from monai.networks.nets import UNet
from safetensors.torch import load_file
from scripts.errors import InputError
from scripts.student.hashing import state_hash
from scripts.student.storage import load_student

FILES = ["adapter_config.json", "adapter_model.safetensors", "head.safetensors", "student.json"]


@pytest.fixture
def restored(build, attach, move):
    """(teacher, sample, student with a moved adapter and a trained head)."""

    def make(name: str = "unet-2d-transposed"):
        network, sample = build(name)
        student = attach(network, sample)
        move(student)
        with torch.no_grad():
            for parameter in student.head_parameters():
                parameter.add_(0.1)
        return network, sample, student

    return make


@pytest.mark.parametrize("name", ["unet-2d-transposed", "unet-2d-residual", "unet-3d-transposed", "resnet-2d"])
def test_round_trip(name, restored, tmp_path):
    network, sample, student = restored(name)
    student.save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == FILES
    loaded = load_student(network, tmp_path)
    assert loaded.spec == student.spec and loaded.scale == 1.0
    with torch.no_grad():
        assert torch.equal(loaded.network(sample), student.network(sample))
        with loaded.adapter_off():
            assert torch.equal(loaded.network(sample), network(sample))
    assert state_hash(loaded.merged().state_dict()) == state_hash(student.merged().state_dict())
    assert state_hash(loaded.revert().state_dict()) == state_hash(network.state_dict())


def test_head_file_holds_both_states(restored, tmp_path):
    network, _, student = restored()
    student.save(tmp_path)
    head = load_file(tmp_path / "head.safetensors")
    plain = network.get_submodule(student.spec.head)
    assert torch.equal(head["original.weight"], plain.weight) and torch.equal(head["original.bias"], plain.bias)
    torch.testing.assert_close(head["trained.bias"], plain.bias + 0.1)


def test_the_scale_is_folded_in_on_disk_only(restored, tmp_path):
    network, sample, student = restored()
    student.set_scale(0.25)
    with torch.no_grad():
        answer = student.network(sample)
    student.save(tmp_path)
    assert student.scale == 0.25
    loaded = load_student(network, tmp_path)
    with torch.no_grad():
        assert torch.equal(student.network(sample), answer)
        assert torch.equal(loaded.network(sample), answer)  # a power of two folds in without rounding


def test_the_same_student_gives_the_same_bytes(restored, tmp_path):
    _, _, student = restored("unet-2d-residual")
    student.save(tmp_path / "one")
    student.save(tmp_path / "two")
    for name in FILES:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


@pytest.mark.parametrize("name", ["unet-2d-residual", "unet-2d-transposed"])
def test_peft_reads_the_folder(name, build, attach, move, tmp_path):
    from peft import LoraConfig, PeftModel
    from scripts.student.transposed import register

    network, sample = build(name)
    student = attach(network, sample)
    move(student)
    student.save(tmp_path)
    config = register(LoraConfig.from_pretrained(tmp_path))
    theirs = PeftModel.from_pretrained(copy.deepcopy(network), tmp_path, config=config).eval()
    with torch.no_grad():
        assert torch.equal(theirs(sample), student.network(sample))


def test_another_teacher_is_refused(restored, tmp_path):
    network, _, student = restored()
    student.save(tmp_path)
    other = copy.deepcopy(network)
    with torch.no_grad():
        next(other.buffers()).add_(1e-3)
    with pytest.raises(InputError, match="another teacher"):
        load_student(other, tmp_path)
    with pytest.raises(InputError, match="another architecture"):
        load_student(UNet(2, 1, 1, (4, 8), (2,), norm="batch"), tmp_path)


@pytest.mark.parametrize("name", FILES)
def test_missing_and_damaged_files_are_named(name, restored, tmp_path):
    network, _, student = restored()
    student.save(tmp_path)
    path = tmp_path / name
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=name):
        load_student(network, tmp_path)
    path.unlink()
    with pytest.raises(InputError, match=name):
        load_student(network, tmp_path)


def test_records_that_do_not_fit(restored, tmp_path):
    network, _, student = restored()
    student.save(tmp_path)
    record = json.loads((tmp_path / "student.json").read_text())
    assert record["versions"].keys() == {"torch", "peft", "monai"}
    changes: list[tuple[dict[str, object], str]] = [
        ({"format": 99}, "99"),
        ({"rank": None}, "rank"),
        ({"rank": "8"}, "'rank' is not of type int"),
        ({"rank": True}, "'rank' is not of type int"),
        ({"targets": "layer"}, "'targets' is not of type"),
        ({"targets": ["no such layer"]}, "student.json: is damaged|could not be adapted"),
        ({"rank": 0}, "student.json: is damaged"),
        ({"files": 3}, "student.json: is damaged"),
        ({"alpha": {}}, "'alpha' is not of type float"),
    ]
    for change, word in changes:
        altered = {key: value for key, value in (record | change).items() if value is not None}
        (tmp_path / "student.json").write_text(json.dumps(altered))
        with pytest.raises(InputError, match=word):
            load_student(network, tmp_path)


def test_a_file_in_place_of_the_folder(restored, tmp_path):
    _, _, student = restored()
    (tmp_path / "adapter").write_text("in the way")
    with pytest.raises(InputError, match="is a file"):
        student.save(tmp_path / "adapter")
    assert [path.name for path in tmp_path.iterdir()] == ["adapter"]
