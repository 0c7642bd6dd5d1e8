"""A student all of whose weights are trained."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from monai.networks.nets import UNet
from scripts.errors import InputError
from scripts.student.hashing import state_hash
from scripts.student.storage import load_student
from scripts.student.teacher import clone
from scripts.student.whole import WholeStudent
from torch import nn


def unet(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return clone(UNet(2, 1, 1, (4, 8), (2,), norm="batch", dropout=0.3))


@pytest.fixture
def image() -> torch.Tensor:
    return torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(1))


def start(image: torch.Tensor) -> tuple[WholeStudent, nn.Module, nn.Module]:
    teacher, member = unet(0), unet(1)
    return WholeStudent.start(member, teacher=teacher, sample=image[:1]), teacher, member


def shift(student: WholeStudent) -> None:
    with torch.no_grad():
        for parameter in student.trainable():
            parameter.add_(0.05)


def test_starts_as_the_network_that_it_was_given_and_leaves_it_alone(image: torch.Tensor) -> None:
    student, teacher, member = start(image)
    before = state_hash(member.state_dict())
    assert torch.equal(student.network(image), member(image))
    shift(student)
    assert not torch.equal(student.network(image), member(image))
    assert state_hash(member.state_dict()) == before
    assert state_hash(teacher.state_dict()) == student.base_hash


def test_every_weight_is_trained_and_no_statistic_moves(image: torch.Tensor) -> None:
    student, _, member = start(image)
    student.train()
    student.network(image).sum().backward()
    assert len(student.trainable()) == len(list(member.parameters()))
    assert all(parameter.grad is not None for parameter in student.trainable())
    own = dict(student.network.inner.named_buffers())
    assert own and all(torch.equal(own[name], value) for name, value in member.named_buffers())


def test_a_live_student_normalises_by_its_batch_and_is_judged_by_what_it_gathered(image: torch.Tensor) -> None:
    teacher = unet(0)
    student = WholeStudent.start(teacher, teacher=teacher, sample=image[:1], live=True)
    inner = student.network.inner
    student.train()
    assert all(module.training for module in inner.modules())
    before = {name: value.clone() for name, value in inner.named_buffers()}
    plain = clone(teacher).train()
    torch.manual_seed(3)
    found = student.network(image)
    torch.manual_seed(3)
    assert torch.equal(found, plain(image))
    assert all(torch.equal(value, dict(plain.named_buffers())[name]) for name, value in inner.named_buffers())
    assert not any(torch.equal(value, before[name]) for name, value in inner.named_buffers())
    student.eval()
    assert not any(module.training for module in inner.modules())
    assert torch.equal(student.network(image), student.merged()(image))


def test_a_live_student_takes_the_stored_statistics_for_a_batch_of_one_image(image: torch.Tensor) -> None:
    norm = nn.Sequential(nn.Conv2d(1, 2, 16), nn.BatchNorm2d(2), nn.Conv2d(2, 1, 1))
    teacher = clone(norm)
    student = WholeStudent.start(teacher, teacher=teacher, sample=image[:1], live=True)
    student.train()
    assert torch.equal(student.network(image[:1]), teacher(image[:1]))
    assert student.network.inner[1].training and int(student.network.inner[1].num_batches_tracked) == 0


def test_the_mode_switch_turns_on_no_dropout(image: torch.Tensor) -> None:
    student, _, _ = start(image)
    assert torch.equal(student.train().network(image), student.network(image))


def test_the_head_alone_is_open_in_restoration(image: torch.Tensor) -> None:
    student, _, _ = start(image)
    student.open_head()
    trained = [parameter for parameter in student.trainable() if parameter.requires_grad]
    assert {id(parameter) for parameter in trained} == {id(parameter) for parameter in student.head_parameters()}
    student.close_head()
    assert all(parameter.requires_grad for parameter in student.trainable())


def test_merged_is_the_student_and_revert_the_teacher_bit_for_bit(image: torch.Tensor) -> None:
    student, teacher, _ = start(image)
    shift(student)
    assert torch.equal(student.merged()(image), student.network(image))
    assert state_hash(student.revert().state_dict()) == state_hash(teacher.state_dict())


def test_a_copy_has_weights_of_its_own_and_the_same_teacher(image: torch.Tensor) -> None:
    student, teacher, _ = start(image)
    copied = student.copied()
    shift(copied)
    assert not torch.equal(copied.network(image), student.network(image))
    assert copied._teacher is teacher and copied.head == student.head


def test_comes_back_from_disk(image: torch.Tensor, tmp_path: Path) -> None:
    student, teacher, _ = start(image)
    shift(student)
    student.save(tmp_path)
    loaded = load_student(teacher, tmp_path)
    assert isinstance(loaded, WholeStudent)
    assert torch.equal(loaded.network(image), student.eval().network(image))
    assert state_hash(loaded.revert().state_dict()) == state_hash(teacher.state_dict())


def test_checkpoint_comes_back_in_place(image: torch.Tensor) -> None:
    student, _, _ = start(image)
    kept = student.trainable()
    state = student.state_dict_trainable()
    shift(student)
    student.load_trainable(state)
    assert [id(parameter) for parameter in student.trainable()] == [id(parameter) for parameter in kept]
    assert all(torch.equal(value, state[name]) for name, value in student.named_parameters().items())


def test_another_teacher_or_architecture_is_refused(image: torch.Tensor, tmp_path: Path) -> None:
    student, _, member = start(image)
    student.save(tmp_path)
    with pytest.raises(InputError, match="made for another teacher"):
        load_student(member, tmp_path)
    other = clone(UNet(2, 1, 1, (4, 8, 8), (2, 2), norm="batch"))
    with pytest.raises(InputError, match="another architecture"):
        load_student(other, tmp_path)
    with pytest.raises(InputError, match="another architecture"):
        WholeStudent.start(other, teacher=member, sample=image[:1])


def test_damaged_weights_are_refused(image: torch.Tensor, tmp_path: Path) -> None:
    student, teacher, _ = start(image)
    student.save(tmp_path)
    path = tmp_path / "network.safetensors"
    path.write_bytes(path.read_bytes()[:-4] + b"\0\0\0\1")
    with pytest.raises(InputError, match="damaged or of another run"):
        load_student(teacher, tmp_path)
