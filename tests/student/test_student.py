"""The way there and the way back: what may never differ by a bit, and what by rounding only."""

from __future__ import annotations

import copy

import pytest
import torch
from monai.networks import eval_mode, train_mode
from scripts.errors import InputError
from scripts.student.hashing import state_hash

NETWORKS = [
    "unet-2d-transposed",
    "unet-2d-residual",
    "unet-3d-transposed",
    "segresnet-3d",
    "basic-unet-2d",
    "resnet-2d",
]


def logits(network, image):
    with torch.no_grad():
        return network(image)


def steps(student, sample, parameters, count=3):
    """A few optimiser steps as an engine makes them, weight decay included."""
    optimizer = torch.optim.AdamW(parameters, lr=0.05, weight_decay=0.1)
    student.network.train()
    for _ in range(count):
        optimizer.zero_grad()
        student.network(sample).square().mean().backward()
        optimizer.step()
    student.network.eval()


@pytest.mark.parametrize("name", NETWORKS)
def test_forget_restore_and_all_the_ways_back(name, build, attach):
    network, sample = build(name)
    before, answer = copy.deepcopy(network.state_dict()), logits(network, sample)
    student = attach(network, sample)
    assert torch.equal(logits(student.network, sample), answer)  # B starts at zero

    steps(student, sample, student.trainable())
    forgotten = logits(student.network, sample)
    assert (forgotten - answer).abs().max() > 1e-3 * answer.abs().max()

    student.open_head()
    steps(student, sample, student.head_parameters())
    student.close_head()
    restored = logits(student.network, sample)
    assert not torch.equal(restored, forgotten)

    # The teacher is untouched, and the student with adapter and head off is the teacher, buffers included.
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())
    with student.adapter_off():
        assert torch.equal(logits(student.network, sample), answer)
        with student.adapter_off():
            assert torch.equal(logits(student.network, sample), answer)
        assert torch.equal(logits(student.network, sample), answer)
    assert torch.equal(logits(student.network, sample), restored)

    # Merged: the same function, in a plain network that loads strictly.
    merged = student.merged().state_dict()
    assert list(merged) == list(before)
    assert all(merged[key].dtype == value.dtype and merged[key].shape == value.shape for key, value in before.items())
    plain = copy.deepcopy(network)
    plain.load_state_dict(merged, strict=True)
    difference = (logits(plain.eval(), sample) - restored).abs().max()
    assert difference <= 1e-6 * restored.abs().max()

    # Revert: every bit, the head's included; and neither way out touched the student.
    reverted = student.revert().state_dict()
    assert list(reverted) == list(before)
    assert all(torch.equal(reverted[key], value) for key, value in before.items())
    assert torch.equal(logits(student.network, sample), restored)


@pytest.mark.parametrize("name", ["unet-2d-residual", "unet-3d-transposed"])
def test_buffers_do_not_move_in_training_mode(name, build, attach):
    network, sample = build(name)
    student = attach(network, sample, dropout=0.0)
    held = {key: value.clone() for key, value in student.network.named_buffers()}
    with train_mode(student.network):
        student.network(sample * 5 + 1)
        assert student.network.training
    assert held and all(torch.equal(held[key], value) for key, value in student.network.named_buffers())


def test_only_lora_dropout_is_active_in_training(build, attach, move):
    network, sample = build("unet-2d-residual")  # has dropout and BatchNorm of its own
    still = attach(network, sample, dropout=0.0)
    move(still)
    assert torch.equal(logits(still.train().network, sample), logits(still.eval().network, sample))

    student = attach(network, sample, dropout=0.5)
    move(student)
    student.train()
    assert not torch.equal(logits(student.network, sample), logits(student.network, sample))
    with eval_mode(student.network):
        assert torch.equal(logits(student.network, sample), logits(student.network, sample))
    assert not torch.equal(logits(student.network, sample), logits(student.network, sample))


def test_gradients_go_to_the_adapter_or_to_the_head_never_to_the_base(build, attach):
    network, sample = build("unet-2d-residual")
    student = attach(network, sample)

    def receiving():
        return {id(p) for p in student.network.parameters() if p.requires_grad}

    adapter, head = {id(p) for p in student.trainable()}, {id(p) for p in student.head_parameters()}
    assert receiving() == adapter and not adapter & head
    student.open_head()
    assert receiving() == head
    with student.adapter_off():
        pass
    assert receiving() == head  # PEFT's switch turns gradients on: it must not do so here
    assert torch.equal(logits(student.train().network, sample), logits(student.network, sample))  # no dropout either
    student.close_head()
    assert receiving() == adapter


def test_what_nothing_trains_is_held_once_and_the_head_is_the_students_own(build, attach):
    network, sample = build("unet-2d-residual")
    student = attach(network, sample)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    theirs = {parameter.data_ptr() for parameter in network.parameters()}
    head, adapter = student.head_parameters(), {id(parameter) for parameter in student.trainable()}
    apart = {id(parameter) for parameter in head} | adapter
    rest = [parameter for parameter in student.network.parameters() if id(parameter) not in apart]
    assert rest and all(parameter.data_ptr() in theirs for parameter in rest)
    assert not any(parameter.data_ptr() in theirs for parameter in [*head, *student.trainable()])
    # The teacher's own switches stay as they were: the parameters are other objects.
    assert not {id(parameter) for parameter in student.network.parameters()} & {id(p) for p in network.parameters()}
    student.open_head()
    steps(student, sample, student.head_parameters())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_adapter_off_comes_back_after_an_error(build, attach, move):
    network, sample = build("unet-2d-transposed")
    student = attach(network, sample)
    move(student)
    answer = logits(student.network, sample)
    with pytest.raises(KeyError), student.adapter_off():
        raise KeyError
    assert torch.equal(logits(student.network, sample), answer)


@pytest.mark.parametrize("name", ["unet-2d-transposed", "unet-3d-transposed"])
def test_a_decoder_of_transposed_convolutions_adapts(name, build, attach):
    network, sample = build(name)
    student = attach(network, sample, scope="decoder+head")
    targets = [network.get_submodule(target) for target in student.spec.targets]
    assert targets and all(isinstance(t, torch.nn.ConvTranspose2d | torch.nn.ConvTranspose3d) for t in targets)
    student.network.train()
    student.network(sample).square().mean().backward()
    b = [p for p in student.trainable() if p.grad is not None and p.grad.abs().max() > 0]
    assert len(b) == len(targets)  # every B; A's gradient is zero while B is
    answer = logits(student.network.eval(), sample)
    steps(student, sample, student.trainable())
    assert (logits(student.network, sample) - answer).abs().max() > 1e-3


def test_scale(build, attach, move):
    network, sample = build("unet-2d-residual")
    student = attach(network, sample, scope="head", dropout=0.0)
    move(student)
    teacher, full = logits(network, sample), logits(student.network, sample)
    student.set_scale(0.5)
    half = logits(student.network, sample)
    # The head is the last, linear step: half the adapter is half the way.
    torch.testing.assert_close(half - teacher, (full - teacher) / 2, rtol=1e-4, atol=1e-6)
    student.set_scale(0.0)
    assert torch.equal(logits(student.network, sample), teacher)
    student.set_scale(0.7)
    scaled = logits(student.network, sample)
    student.bake_scale()
    assert student.scale == 1.0
    torch.testing.assert_close(logits(student.network, sample), scaled, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(logits(student.merged(), sample), scaled, rtol=1e-5, atol=1e-6)


def test_merge_honours_the_scale(build, attach, move):
    network, sample = build("unet-3d-transposed")
    student = attach(network, sample)
    move(student)
    student.set_scale(0.3)
    answer = logits(student.network, sample)
    assert (logits(student.merged(), sample) - answer).abs().max() <= 1e-6 * answer.abs().max()


def test_the_seed_decides_and_the_global_generator_is_left_alone(build, attach):
    network, sample = build("unet-2d-transposed")
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    one = attach(network, sample, seed=1)
    assert torch.equal(torch.rand(3), expected)
    same, other = attach(network, sample, seed=1), attach(network, sample, seed=2)
    pairs = list(zip(one.trainable(), same.trainable(), other.trainable(), strict=True))
    assert all(torch.equal(a, b) for a, b, _ in pairs)
    assert any(not torch.equal(a, c) for a, _, c in pairs)


def test_checkpoint_state_resumes_bit_for_bit(build, attach, move, tmp_path):
    network, sample = build("unet-2d-residual")
    student = attach(network, sample)
    move(student)
    student.open_head()
    steps(student, sample, student.head_parameters())
    student.close_head()
    student.set_scale(0.6)
    torch.save(student.state_dict_trainable(), tmp_path / "state.pt")
    fresh = attach(network, sample, seed=9)
    held = [id(p) for p in fresh.trainable()]
    fresh.load_trainable(torch.load(tmp_path / "state.pt", weights_only=True))
    assert held == [id(p) for p in fresh.trainable()]
    assert fresh.scale == student.scale
    assert torch.equal(logits(fresh.network, sample), logits(student.network, sample))
    assert state_hash(fresh.revert().state_dict()) == state_hash(network.state_dict())


def test_checkpoint_of_another_adapter_is_refused_and_changes_nothing(build, attach):
    network, sample = build("unet-2d-residual")
    student, larger, narrow = (
        attach(network, sample),
        attach(network, sample, rank=8),
        attach(network, sample, scope="head"),
    )
    held = state_hash(student.state_dict_trainable())
    for other in (larger, narrow):
        with pytest.raises(InputError, match="another student"):
            student.load_trainable(other.state_dict_trainable())
    assert state_hash(student.state_dict_trainable()) == held


def test_revert_notices_a_base_that_was_changed_from_outside(build, attach):
    network, sample = build("unet-2d-transposed")
    student = attach(network, sample)
    with torch.no_grad():
        next(p for name, p in student.network.named_parameters() if "lora" not in name).add_(1)
    with pytest.raises(RuntimeError, match="changed from outside"):
        student.revert()


@pytest.mark.parametrize(
    ("setting", "value"), [("rank", 0), ("rank", 1.5), ("alpha", 0), ("dropout", 1.0), ("dropout", -0.1)]
)
def test_settings_out_of_range(setting, value, build, attach):
    network, sample = build("unet-2d-transposed")
    with pytest.raises(InputError, match=setting):
        attach(network, sample, **{setting: value})


def test_bfloat16_autocast(build, attach, move):
    network, sample = build("unet-2d-transposed")
    student = attach(network, sample)
    move(student)
    with torch.autocast("cpu", torch.bfloat16):
        answer = student.network(sample)
        answer.float().square().mean().backward()
    assert all(torch.isfinite(p.grad).all() for p in student.trainable())
    torch.testing.assert_close(answer.float(), logits(student.network, sample), rtol=0.1, atol=0.1)
