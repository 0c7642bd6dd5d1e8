"""0 at the teacher, 1 at the goal, and in between what was moved."""

from __future__ import annotations

import math

import pytest
import torch
from scripts.data.datasets import AugmentedDataset, EpochLoader
from scripts.engines.arithmetic import Arithmetic
from scripts.engines.criterion import (
    ReferenceCriterion,
    SuppressCriterion,
    UnlearnCriterion,
    build_criterion,
)
from scripts.engines.reference import load_fold_reference
from scripts.errors import InputError
from scripts.tasks import build_task
from torch import nn

CPU = Arithmetic(device="cpu")
CLASSES, MASKS = build_task("classification"), build_task("segmentation")


class Affine(nn.Module):
    """Logits are the image, times a constant and shifted."""

    def __init__(self, factor: float = 1.0, shift: float = 0.0) -> None:
        super().__init__()
        self.factor, self.shift = factor, shift

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image * self.factor + self.shift


def scored(*margins: float) -> EpochLoader:
    """Images of class 0 of patients of their own whose score under `Affine(k)` is k * margin."""
    data = [
        {"image": torch.tensor([margin, 0.0]), "label": torch.tensor(0), "image_id": str(i), "patient_id": str(i)}
        for i, margin in enumerate(margins)
    ]
    return EpochLoader(AugmentedDataset(data), batch_size=2)


def columns(*levels: float) -> EpochLoader:
    """An image of ten columns with the given logits; the truth is the first five."""
    label = torch.zeros(1, 4, 10)
    label[..., :5] = 1
    image = torch.tensor(levels).expand(1, 4, 10).clone()
    return EpochLoader(
        AugmentedDataset([{"image": image, "label": label, "image_id": "a", "patient_id": "a"}]), batch_size=1
    )


def unlearn(*, level: float = 0.0, forget=(4.0, 2.0), selection=(1.0, 0.0)) -> UnlearnCriterion:
    return UnlearnCriterion(
        level=level,
        teacher=Affine(),
        forget=scored(*forget),
        selection=scored(*selection),
        task=CLASSES,
        arithmetic=CPU,
    )


def suppress(bound: float, levels: tuple[float, ...]) -> SuppressCriterion:
    data = columns(*levels)
    return SuppressCriterion(bound=bound, teacher=Affine(), forget=data, selection=data, task=MASKS, arithmetic=CPU)


@pytest.mark.parametrize("level", [0.0, 1.0, -1.5])
def test_unlearning_is_the_share_of_the_corrected_score_that_is_gone(level: float) -> None:
    criterion = unlearn(level=level)
    assert criterion.start == pytest.approx(3.0 - 0.5)
    assert criterion.measure(Affine())["progress"] == pytest.approx(0, abs=1e-6)
    # All scores times k: the corrected score is 2.5 k.
    for k in (0.8, 0.4, 0.0, -0.4):
        expected = (2.5 - 2.5 * k) / (2.5 - level)
        assert criterion.measure(Affine(k))["progress"] == pytest.approx(expected, abs=1e-5)
    assert criterion.measure(Affine(level / 2.5))["progress"] == pytest.approx(1, abs=1e-5)


def test_a_change_of_calibration_alone_is_no_forgetting() -> None:
    criterion = unlearn(forget=(2.0, 2.0), selection=(2.0, 2.0), level=-1.0)
    assert criterion.measure(Affine(0.3))["progress"] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("level", [2.5, 3.0])
def test_a_teacher_that_does_not_stand_out_has_nothing_to_forget(level: float) -> None:
    assert unlearn(level=level).measure(Affine())["progress"] == 1.0


def test_kept_is_the_change_on_the_selection_set() -> None:
    criterion = unlearn(selection=(1.0, -1.0))
    assert criterion.measure(Affine())["kept"] == 0
    assert criterion.measure(Affine(1.0, 0.0))["kept"] == 0
    flipped = unlearn(selection=(1.0, 2.0, -1.0))
    assert flipped.measure(Affine(-1.0))["kept"] == pytest.approx(1 / 3 - 2 / 3)


def test_suppression_is_the_way_from_the_teachers_overlap_to_the_bound() -> None:
    # Columns 0..4 are true at logits 1..5: a shift by -k - 0.5 leaves 5 - k of them.
    criterion = suppress(0.4, (1.0, 2.0, 3.0, 4.0, 5.0) + (-9.0,) * 5)
    for lost, expected in [(0, 0.0), (1, 0.2 / 0.6), (3, 1.0), (5, 1 / 0.6)]:
        found = criterion.measure(Affine(shift=-lost - 0.5))
        assert found["progress"] == pytest.approx(expected)
        assert found["kept"] == pytest.approx(2 * (5 - lost) / (10 - lost) - 1)  # Dice on the same image


def test_a_teacher_below_the_bound_needs_no_suppression() -> None:
    assert suppress(0.4, (1.0, 2.0) + (-9.0,) * 8).measure(Affine())["progress"] == 1.0


def test_classes_are_suppressed_by_accuracy() -> None:
    criterion = SuppressCriterion(
        bound=0.25, teacher=Affine(), forget=scored(1, 2, 3, 4), selection=scored(1), task=CLASSES, arithmetic=CPU
    )
    shifted = nn.Module()
    shifted.forward = lambda image: image - torch.tensor([2.5, 0.0])  # type: ignore[method-assign]
    assert criterion.measure(shifted)["progress"] == pytest.approx((1 - 0.5) / (1 - 0.25))


class Constant:
    """A reference that predicts the given logits for every image."""

    teacher_selection = None

    def __init__(self, *logits: float) -> None:
        self.values = torch.tensor(logits)

    def logits(self, batch) -> torch.Tensor:
        return self.values.expand(len(batch["image"]), -1)


def test_goal_and_reference_choose_the_criterion() -> None:
    settings = {
        "teacher": Affine(),
        "forget": scored(3.0),
        "selection": scored(1.0),
        "task": CLASSES,
        "arithmetic": CPU,
    }
    assert build_criterion(goal="unlearn", bound=0.5, reference=None, **settings).level == 0
    found = build_criterion(goal="unlearn", bound=0.5, reference=Constant(0.0, 0.0), **settings)
    assert isinstance(found, ReferenceCriterion)
    found = build_criterion(goal="suppress", bound=0.3, reference=Constant(0.0, 0.0), **settings)
    assert isinstance(found, SuppressCriterion) and found.bound == 0.3


def test_the_reference_is_the_goal_and_only_the_departure_from_it_counts() -> None:
    criterion = ReferenceCriterion(
        reference=Constant(0.0, 0.0),
        teacher=Affine(),
        forget=scored(2.0, 4.0),
        selection=scored(1.0),
        task=CLASSES,
        arithmetic=CPU,
    )
    assert criterion.measure(Affine(0.0))["progress"] == pytest.approx(1)
    # Past the reference, on its other side.
    assert criterion.measure(Affine(-1.0))["progress"] == pytest.approx(2)
    # By hand, for k = 1/2: p - 1/2 is tanh(z/2)/2 in either class; the mean over the two patients.
    shares = [1 - math.tanh(margin / 4) / math.tanh(margin / 2) for margin in (2.0, 4.0)]
    assert criterion.measure(Affine(0.5))["progress"] == pytest.approx(sum(shares) / 2, rel=1e-5)


def test_a_student_at_the_references_mean_that_still_follows_the_teacher_is_not_there() -> None:
    """Two images, over- and under-confident by as much: the mean score is the reference's, the pattern is not."""
    settings = {"forget": scored(2.0, -2.0), "selection": scored(1.0), "task": CLASSES, "arithmetic": CPU}
    criterion = ReferenceCriterion(reference=Constant(0.0, 0.0), teacher=Affine(), **settings)
    assert criterion.measure(Affine())["progress"] == pytest.approx(0, abs=1e-6)


def test_a_reference_that_agrees_leaves_nothing_to_forget() -> None:
    settings = {"forget": scored(2.0), "selection": scored(1.0), "task": CLASSES, "arithmetic": CPU}
    criterion = ReferenceCriterion(reference=Constant(2.0, 0.0), teacher=Affine(), **settings)
    assert criterion.measure(Affine())["progress"] == 1.0


@pytest.mark.parametrize("empty", ["forget", "selection"])
def test_an_empty_set_is_refused(empty: str) -> None:
    sets = {"forget": scored(1.0), "selection": scored(1.0)} | {empty: []}
    with pytest.raises(InputError, match=f"the {empty} set is empty"):
        build_criterion(
            goal="unlearn", bound=0.5, reference=None, teacher=Affine(), task=CLASSES, arithmetic=CPU, **sets
        )


def test_a_trained_teacher_stands_at_zero_and_its_mode_is_kept(bench) -> None:
    reference = load_fold_reference(
        cohort=bench.cohort,
        network=bench.network(),
        teacher=bench.teacher,
        model_dir=bench.model_dir,
        selection=lambda: bench.loaders().evaluation("selection"),
        records=bench.cohort.forget,
        task=bench.task,
        arithmetic=CPU,
    )
    criterion = bench.criterion(reference=reference)
    found = criterion.measure(bench.teacher)
    assert found["progress"] == pytest.approx(0, abs=1e-6) and found["kept"] == 0
    assert not bench.teacher.training
