"""What comes back under attack: figures beside a plain loop, and models that hide beside models that never knew."""

from __future__ import annotations

import copy
import json
import statistics
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from monai.losses import DiceCELoss
from monai.transforms import Compose
from scripts.attacks.recovery import EVALUATED
from scripts.cohort import Cohort
from scripts.cohort.loaders import CohortLoaders
from scripts.engines.arithmetic import Arithmetic
from scripts.engines.fold_teachers import load_fold_teachers
from scripts.engines.predict import Rows, predict
from scripts.record.recovery import CORRECTED, FOLD_TEACHER, Recovery, corrected, kept, pooled
from scripts.tasks import build_task
from torch import nn

FIGURES = {
    *("dice", "dice_before", "recovered_dice", "score", "score_before", "recovered_score"),
    *("corrected_score", "corrected_score_before"),
}


def measured(bench: Any, models: dict[str, nn.Module], *names: str, **settings: Any) -> dict[str, Any]:
    loaders = bench.loaders()
    rows = {
        model: {
            name: predict(network, loaders.evaluation(name), task=bench.task, arithmetic=bench.arithmetic)
            for name in ("forget", "validation")
        }
        for model, network in models.items()
    }
    recovery = Recovery(names=names, loaders=loaders, task=bench.task, arithmetic=bench.arithmetic, **settings)
    return recovery.measure(models, rows)


def fold_teachers(bench: Any) -> dict[int, list[nn.Module]]:
    return load_fold_teachers(
        cohort=bench.cohort, network=bench.network(), model_dir=bench.model_dir, arithmetic=bench.arithmetic
    )


def batch_of(items: Any) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.stack([item["image"] for item in items]), torch.stack([item["label"] for item in items])


def moved(network: nn.Module, items: Any, *, steps: int, sign: float, size: int = 8) -> nn.Module:
    """Plain AdamW steps up (sign -1) or down (1) the supervised loss, without anything of the package."""
    changed = copy.deepcopy(network).eval()
    optimizer = torch.optim.AdamW([weight.requires_grad_(True) for weight in changed.parameters()], lr=1e-3)
    loss = DiceCELoss(sigmoid=True)
    batches = [items[start : start + size] for start in range(0, len(items), size)]
    for step in range(steps):
        image, label = batch_of(batches[step % len(batches)])
        optimizer.zero_grad()
        (sign * loss(changed(image), label)).backward()
        optimizer.step()
    return changed


def dice_by_patient(network: nn.Module, items: Any) -> float:
    """Mean over patients of the mean over their images."""
    found = defaultdict(list)
    for item in items:
        with torch.no_grad():
            mask = network(item["image"][None])[0] > 0
        true = item["label"] > 0.5
        found[item["patient_id"]].append(2 * float((mask & true).sum()) / float(mask.sum() + true.sum()))
    return statistics.fmean(statistics.fmean(values) for values in found.values())


@pytest.fixture(scope="module")
def hiding(bench: Any) -> nn.Module:
    """The teacher, pushed off the forget images by small moves of its weights: nothing in it was unlearned."""
    forget = [bench.transform(dict(record)) for record in bench.cohort.forget]
    return moved(bench.teacher, forget, steps=12, sign=-1.0)


@pytest.fixture(scope="module")
def found(bench: Any, hiding: nn.Module) -> dict[str, Any]:
    models = {"teacher": bench.teacher, "student": hiding, "retrained": fold_teachers(bench)[0][0]}
    return measured(bench, models, "fine_tuned_20", "int8", "relearned_5", fold_teachers=fold_teachers(bench))


def test_figures_are_those_of_a_plain_loop(bench: Any, hiding: nn.Module, found: dict[str, Any]) -> None:
    retain, forget = (
        [bench.transform(dict(record)) for record in bench.cohort.named(name)] for name in ("retain", "forget")
    )
    attacked = dice_by_patient(moved(hiding, retain, steps=20, sign=1.0), forget)
    before, teacher = dice_by_patient(hiding, forget), dice_by_patient(bench.teacher, forget)
    entry = found["student"]["fine_tuned_20"]
    assert entry["dice_before"] == pytest.approx(before, abs=1e-6)
    assert entry["dice"] == pytest.approx(attacked, abs=2e-3)
    share = (entry["dice"] - entry["dice_before"]) / (teacher - entry["dice_before"])
    assert entry["recovered_dice"] == pytest.approx(share, abs=1e-6)


def test_entries_of_every_model_and_attack(found: dict[str, Any]) -> None:
    assert set(found) == {"teacher", "student", "retrained", FOLD_TEACHER}
    assert all(set(own) == {"fine_tuned_20", "int8", "relearned_5"} for own in found.values())
    assert all(set(entry) == FIGURES for own in found.values() for entry in own.values())
    teacher = found["teacher"]["fine_tuned_20"]
    assert teacher["recovered_dice"] is None and teacher["recovered_score"] is None
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_the_score_that_came_back_is_corrected_by_validation(bench: Any, found: dict[str, Any]) -> None:
    loaders = bench.loaders()
    forget, validation = (
        predict(bench.teacher, loaders.evaluation(name), task=bench.task, arithmetic=bench.arithmetic).mean("score")
        for name in ("forget", "validation")
    )
    entry, teacher = found["student"]["fine_tuned_20"], found["teacher"]["fine_tuned_20"]
    assert teacher["corrected_score_before"] == pytest.approx(forget - validation)
    gap = teacher["corrected_score_before"] - entry["corrected_score_before"]
    came_back = entry["corrected_score"] - entry["corrected_score_before"]
    assert entry["recovered_score"] == pytest.approx(came_back / gap)


def test_relearning_is_measured_on_images_that_it_was_not_trained_on(
    bench: Any, hiding: nn.Module, found: dict[str, Any]
) -> None:
    records = sorted(bench.cohort.forget, key=lambda record: (record["patient_id"], record["image_id"]))
    own, others = ([bench.transform(dict(record)) for record in records[start::2]] for start in (0, 1))
    entry = found["student"]["relearned_5"]
    assert entry["dice_before"] == pytest.approx(dice_by_patient(hiding, others), abs=1e-6)
    assert entry["dice"] == pytest.approx(dice_by_patient(moved(hiding, own, steps=5, sign=1.0), others), abs=2e-3)


# Two classes told apart by the first feature; the second is there in forget images alone, whose labels contradict the
# first: who knows them has memorised them. The third is a constant.
TEACHER, NEVER_SAW, HIDING = (4.0, 6.0, 0.0), (4.0, 0.0, 0.0), (4.0, 6.0, -0.06)


class Linear(nn.Module):
    """Logits of two classes that differ by w x."""

    def __init__(self, weights: Sequence[float]) -> None:
        super().__init__()
        w = torch.tensor(weights) / 2
        self.weight = nn.Parameter(torch.stack([-w, w]))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image @ self.weight.T


def item(name: str, *, side: float, known: float = 0.0, label: int) -> dict[str, Any]:
    image = torch.tensor([side, known, 50.0])
    return {"image": image, "label": torch.tensor(label), "image_id": name, "patient_id": f"of {name}"}


def memorised(*, forget: int = 2, validation: int = 4) -> CohortLoaders:
    def plain(name: str, count: int) -> tuple[dict[str, Any], ...]:
        return tuple(item(f"{name}{i}", side=2.0 * (i % 2) - 1, label=i % 2) for i in range(count))

    asked = tuple(item(f"forget{i}", side=-1.0, known=1.0, label=1) for i in range(forget))
    cohort = Cohort(
        forget=asked,
        retain=plain("retain", 16),
        guard=(),
        selection=(),
        validation=plain("validation", validation),
        test=(),
        folds={record["patient_id"]: fold for fold, record in enumerate(asked)},
    )
    return CohortLoaders(cohort=cohort, transform=Compose([]))


def attacked(loaders: CohortLoaders, *names: str, **settings: Any) -> dict[str, Any]:
    task, arithmetic = build_task("classification"), Arithmetic(device="cpu")
    models = {"teacher": Linear(TEACHER), "student": Linear(HIDING), "retrained": Linear(NEVER_SAW)}
    sets = [name for name in ("forget", "validation") if loaders.cohort.named(name)]
    rows = {
        model: {name: predict(own, loaders.evaluation(name), task=task, arithmetic=arithmetic) for name in sets}
        for model, own in models.items()
    }
    recovery = Recovery(names=names, loaders=loaders, task=task, arithmetic=arithmetic, **settings)
    return recovery.measure(models, rows)


def test_what_is_only_hidden_comes_back_and_what_was_never_there_does_not() -> None:
    """A shift of all logits cancels the memory; training on retain images takes the shift away."""
    teachers = {0: [Linear(NEVER_SAW)], 1: [Linear(NEVER_SAW), Linear(NEVER_SAW)]}
    found = {
        name: own["fine_tuned_20"]
        for name, own in attacked(memorised(), "fine_tuned_20", fold_teachers=teachers).items()
    }
    assert (found["teacher"]["accuracy_before"], found["student"]["accuracy_before"]) == (1.0, 0.0)
    assert found["student"]["recovered_accuracy"] == 1.0 and found["student"]["recovered_score"] > 0.5
    for name in ("retrained", FOLD_TEACHER):
        assert found[name]["recovered_accuracy"] == 0.0 and abs(found[name]["recovered_score"]) < 0.05
        assert found[name]["score_before"] == pytest.approx(-4.0)


def test_a_fold_teacher_is_asked_for_the_patients_that_it_never_saw() -> None:
    """The member of fold 1 knows the patient of fold 0, and is not asked for him."""
    teachers = {0: [Linear(NEVER_SAW)], 1: [Linear((2.0, 0.0, 0.0)), Linear((0.5, 0.0, 0.0))]}
    entry = attacked(memorised(), "int8", fold_teachers=teachers)[FOLD_TEACHER]["int8"]
    assert entry["score_before"] == pytest.approx(statistics.fmean([-4.0, statistics.fmean([-2.0, -0.5])]), rel=1e-4)
    # Each member is corrected by its own validation images: 4, 2 and 0.5 nats.
    expected = statistics.fmean([-8.0, statistics.fmean([-4.0, -1.0])])
    assert entry["corrected_score_before"] == pytest.approx(expected, rel=1e-4)
    relearned = attacked(memorised(), "relearned_5", fold_teachers=teachers)[FOLD_TEACHER]["relearned_5"]
    assert relearned["score_before"] == pytest.approx(statistics.fmean([-2.0, -0.5]), rel=1e-4)


def test_one_image_cannot_be_relearned_from_another(capsys: pytest.CaptureFixture[str]) -> None:
    found = attacked(memorised(forget=1), "relearned_5", "relearned_20", "int8")
    assert found["student"]["relearned_5"] is None and found["student"]["relearned_20"] is None
    assert found["student"]["int8"] is not None
    assert "relearned_5, relearned_20: left out, since the forget set has fewer than" in capsys.readouterr().out


def test_without_validation_images_no_share_of_the_score_is_said() -> None:
    entry = attacked(memorised(validation=0), "fine_tuned_20")["student"]["fine_tuned_20"]
    assert entry["recovered_score"] is None and entry["corrected_score"] is None
    assert entry["recovered_accuracy"] == 1.0 and entry["score"] > entry["score_before"]


def test_volumes() -> None:
    generator = torch.Generator().manual_seed(0)
    network = nn.Sequential(nn.Conv3d(1, 4, 3, padding=1), nn.BatchNorm3d(4), nn.ReLU(), nn.Conv3d(4, 1, 1)).eval()

    def some(name: str, count: int) -> tuple[dict[str, Any], ...]:
        return tuple(
            {
                "image": torch.randn(1, 8, 8, 8, generator=generator),
                "label": (torch.randn(1, 8, 8, 8, generator=generator) > 0).float(),
                "image_id": f"{name}{i}",
                "patient_id": name,
            }
            for i in range(count)
        )

    sets = {name: some(name, count) for name, count in (("forget", 3), ("retain", 9), ("validation", 2))}
    loaders = CohortLoaders(cohort=Cohort(**sets, guard=(), selection=(), test=()), transform=Compose([]))
    task, arithmetic = build_task("segmentation"), Arithmetic(device="cpu", channels_last=True)
    network = arithmetic.place(network)
    rows = {name: predict(network, loaders.evaluation(name), task=task, arithmetic=arithmetic) for name in sets}
    names = ("fine_tuned_20", "int4", "batch_norm", "linear_probe", "relearned_5")
    recovery = Recovery(names=names, loaders=loaders, task=task, arithmetic=arithmetic)
    found = recovery.measure({"teacher": network}, {"teacher": rows})["teacher"]
    assert tuple(found) == names and all(0 <= entry["dice"] <= 1 for entry in found.values())
    assert found["fine_tuned_20"]["score"] != found["fine_tuned_20"]["score_before"]


def test_no_attack_no_entry() -> None:
    assert attacked(memorised()) == {}


def test_every_attack_can_be_made_of_a_segmentation(bench: Any) -> None:
    names = [name for name in EVALUATED if name not in ("fine_tuned_slow", "fine_tuned_sgd")]
    found = measured(bench, {"teacher": bench.teacher, "student": fold_teachers(bench)[0][0]}, *names)
    assert list(found["student"]) == names
    assert all(0 <= entry["dice"] <= 1 for entry in found["student"].values())


def test_rows_are_kept_pooled_and_corrected() -> None:
    one = Rows(["a", "b"], ["p", "q"], {"score": torch.tensor([1.0, 3.0])})
    other = Rows(["c", "b"], ["p", "q"], {"score": torch.tensor([7.0, 5.0])})
    both = pooled([one, other])
    assert (both.image_ids, both.patient_ids) == (["a", "b", "c"], ["p", "q", "p"])
    assert both.values["score"].tolist() == [1.0, 4.0, 7.0] and both.mean("score") == 4.0
    assert kept(one, {"b"}).values["score"].tolist() == [3.0] and kept(one, None) is one
    assert corrected(one, other).values[CORRECTED].tolist() == [-5.0, -3.0]
    assert pooled([]).image_ids == []
