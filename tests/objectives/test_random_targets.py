"""Drawn targets: what they look like, when they repeat, and that order and device have no say."""

from __future__ import annotations

import pytest
import torch
from scripts.errors import InputError
from scripts.objectives.base import ForgetBatch
from scripts.objectives.draws import generators
from scripts.objectives.noisy_label import NoisyLabel
from scripts.objectives.random_label import RandomLabel
from scripts.tasks.drawn import another_class, smooth_field

LOGITS = torch.zeros(3, 1, 40, 32)


def masks() -> torch.Tensor:
    label = torch.zeros(3, 1, 40, 32)
    label[0, 0, 10:30, 8:24] = 1
    label[1, 0, 5:15, 5:15] = 1
    return label  # the third is empty


@pytest.mark.parametrize("kind", [RandomLabel, NoisyLabel])
@pytest.mark.parametrize("task", ["segmentation", "classification"])
def test_with_an_index_the_target_is_fixed_by_seed_and_image(kind, task):
    settings = {"flip": 1.0} if kind is NoisyLabel else {}
    if task == "segmentation":
        label, logits = masks()[[0, 0, 0]], LOGITS
    else:
        label, logits = torch.zeros(3, dtype=torch.long), torch.zeros(3, 1000)
    objective = kind(task=task, seed=4, **settings)
    first = objective.target(logits, ForgetBatch(label=label, sample_index=(7, 8, 9)))
    again = objective.target(logits, ForgetBatch(label=label, sample_index=(9, 7, 8)))
    assert torch.equal(first, again[[1, 2, 0]])
    assert not torch.equal(first[0], first[1])
    other = kind(task=task, seed=5, **settings).target(logits, ForgetBatch(label=label, sample_index=(7, 8, 9)))
    assert not torch.equal(first, other)


@pytest.mark.parametrize("kind", [RandomLabel, NoisyLabel])
def test_with_a_generator_alone_targets_are_redrawn_and_replayable(kind):
    objective = kind(task="segmentation")
    batch = ForgetBatch(label=masks(), generator=torch.Generator().manual_seed(0))
    one, two = objective.target(LOGITS, batch), objective.target(LOGITS, batch)
    assert not torch.equal(one, two)
    batch = ForgetBatch(label=masks(), generator=torch.Generator().manual_seed(0))
    assert torch.equal(objective.target(LOGITS, batch), one)


def test_the_global_generator_is_not_used():
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    for kind in (RandomLabel, NoisyLabel):
        kind(task="segmentation").target(LOGITS, ForgetBatch(label=masks(), sample_index=(1, 2, 3)))
    assert torch.equal(torch.rand(2), expected)


def test_random_masks_have_the_true_size_and_one_smooth_shape():
    target = RandomLabel(task="segmentation").target(LOGITS, ForgetBatch(label=masks(), sample_index=(1, 2, 3)))
    assert target.shape == masks().shape and set(target.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(target.flatten(1).sum(1), masks().flatten(1).sum(1))
    edges = (target[0, 0, 1:] != target[0, 0, :-1]).sum() + (target[0, 0, :, 1:] != target[0, 0, :, :-1]).sum()
    assert edges < 200  # 320 random pixels would have about 1,000


def test_random_classes_are_the_others_equally():
    label = torch.full((3000,), 1)
    objective = RandomLabel(task="classification")
    batch = ForgetBatch(label=label, generator=torch.Generator().manual_seed(0))
    counts = objective.target(torch.zeros(3000, 4), batch).bincount(minlength=4)
    assert counts[1] == 0
    assert all(abs(int(count) - 1000) < 130 for count in counts[[0, 2, 3]])  # five standard deviations


def test_noisy_classes_flip_as_often_as_said():
    label = torch.full((2000,), 2)
    for flip, low, high in ((0.0, 0, 0), (1.0, 2000, 2000), (0.3, 500, 700)):
        batch = ForgetBatch(label=label, generator=torch.Generator().manual_seed(0))
        target = NoisyLabel(task="classification", flip=flip).target(torch.zeros(2000, 3), batch)
        assert low <= int((target != 2).sum()) <= high


def test_noisy_masks_move_at_the_boundary_only_and_both_ways():
    from scipy.ndimage import distance_transform_edt

    label = torch.zeros(8, 1, 64, 64)
    label[..., 16:48, 16:48] = 1
    batch = ForgetBatch(label=label, sample_index=range(8))
    target = NoisyLabel(task="segmentation", displacement=2.0).target(torch.zeros(8, 1, 64, 64), batch)
    changed = (target != label).numpy()[:, 0]
    inside = label[0, 0].numpy() > 0
    distance = distance_transform_edt(inside) + distance_transform_edt(~inside)
    assert changed.any() and not changed[:, distance > 10].any()
    assert (target > label).any() and (target < label).any()
    larger = NoisyLabel(task="segmentation", displacement=5.0).target(torch.zeros(8, 1, 64, 64), batch)
    assert (larger != label).sum() > (target != label).sum()


def test_empty_and_full_masks_have_no_boundary_to_move():
    label = torch.stack([torch.zeros(1, 16, 16), torch.ones(1, 16, 16)])
    batch = ForgetBatch(label=label, sample_index=(0, 1))
    assert torch.equal(NoisyLabel(task="segmentation").target(torch.zeros(2, 1, 16, 16), batch), label)


@pytest.mark.parametrize("shape", [(20, 31), (9, 10, 11), (2, 3)])
def test_smooth_field_is_standardised_and_smooth(shape):
    field = smooth_field(shape, nodes=4, generator=torch.Generator().manual_seed(0))
    assert field.shape == shape
    assert abs(float(field.mean())) < 1e-5 and float(field.std()) == pytest.approx(1, abs=1e-4)
    if min(shape) > 8:
        assert field.diff(dim=0).abs().mean() < 0.5


def test_another_class_of_two_is_the_other():
    generator = torch.Generator().manual_seed(0)
    assert {another_class(0, classes=2, generator=generator) for _ in range(9)} == {1}
    assert {another_class(1, classes=2, generator=generator) for _ in range(9)} == {0}


def test_what_is_wrong_with_a_batch_is_said():
    with pytest.raises(InputError, match="generator"):
        generators(ForgetBatch(), count=2, seed=0)
    with pytest.raises(InputError, match="1 sample indices for 2"):
        generators(ForgetBatch(sample_index=(1,)), count=2, seed=0)
    for kind in (RandomLabel, NoisyLabel):
        with pytest.raises(InputError, match="0 to 2"):
            kind(task="classification").target(
                torch.zeros(1, 3), ForgetBatch(label=torch.tensor([3]), sample_index=(0,))
            )


@pytest.mark.parametrize("kind", [RandomLabel, NoisyLabel])
@pytest.mark.parametrize("task", ["segmentation", "classification"])
def test_a_part_of_a_batch_gets_the_targets_that_the_whole_would_give_it(kind, task):
    label, logits = (masks(), LOGITS) if task == "segmentation" else (torch.tensor([3, 0, 7]), torch.zeros(3, 100))
    objective = kind(task=task)

    def target(part: slice, before: int) -> torch.Tensor:
        generator = torch.Generator().manual_seed(0)
        return objective.target(logits[part], ForgetBatch(label=label[part], generator=generator, before=before))

    whole = target(slice(None), 0)
    assert torch.equal(torch.cat([target(slice(0, 1), 0), target(slice(1, 3), 1)]), whole)
    assert torch.equal(target(slice(2, 3), 2), whole[2:])
