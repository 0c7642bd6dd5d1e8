"""Each forget patient is answered by the teacher of its own fold, in the calibration of the teacher."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest
import torch
from scripts.data.datasets import AugmentedDataset, EpochLoader
from scripts.engines.arithmetic import Arithmetic
from scripts.engines.predict import predict
from scripts.engines.reference import FoldMean, FoldReference, calibration, load_fold_reference, member_paths
from scripts.errors import InputError
from scripts.identity import file_digest
from scripts.student.teacher import load_teacher
from scripts.tasks import build_task
from torch import nn

CPU = Arithmetic(device="cpu")
CLASSES = build_task("classification")


class Times(nn.Module):
    """Logits are the image, times a constant: every score can be chosen."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image * self.factor


def items(*margins: float, patients: str) -> EpochLoader:
    """Classification images whose score under `Times(k)` is k * margin."""
    data = [
        {"image": torch.tensor([margin, 0.0]), "label": torch.tensor(0), "image_id": f"{i}", "patient_id": patient}
        for i, (margin, patient) in enumerate(zip(margins, patients, strict=True))
    ]
    return EpochLoader(AugmentedDataset(data), batch_size=2)


def reference(folds: dict[str, int]) -> FoldReference:
    networks = {0: [Times(1.0)], 1: [Times(-10.0)]}
    return FoldReference(networks=networks, factors={0: 0.5, 1: 2.0}, folds=folds, task=CLASSES, arithmetic=CPU)


def load(bench, **settings):
    values = {
        "cohort": bench.cohort,
        "network": bench.network(),
        "teacher": bench.teacher,
        "model_dir": bench.model_dir,
        "selection": lambda: bench.loaders().evaluation("selection"),
        "records": bench.cohort.forget,
        "task": bench.task,
        "arithmetic": CPU,
    }
    return load_fold_reference(**values | settings)


def test_each_row_by_the_teacher_of_its_patient() -> None:
    images = torch.arange(8.0).reshape(4, 2)
    found = reference({"a": 0, "b": 1, "c": 0}).logits({"image": images, "patient_id": ["b", "a", "c", "b"]})
    assert torch.equal(found, images * torch.tensor([-20.0, 0.5, 0.5, -20.0])[:, None])


def test_targets_carry_no_gradient() -> None:
    images = torch.ones(1, 2, requires_grad=True)
    assert not reference({"a": 0}).logits({"image": images, "patient_id": ["a"]}).requires_grad


@pytest.mark.parametrize(
    ("teacher", "fold", "factor"),
    [(2.0, 1.6, 1.25), (1.0, 10.0, 1 / 3), (10.0, 1.0, 3.0), (2.0, 0.0, 1.0), (2.0, -1.0, 1.0), (-1.0, 2.0, 1.0)],
)
def test_calibration_and_its_bounds(teacher: float, fold: float, factor: float) -> None:
    assert calibration(teacher, fold) == pytest.approx(factor)


def test_fold_teachers_from_disk(bench) -> None:
    found = load(bench)
    assert found is not None and set(found.networks) == {0, 1}
    assert found.folds == {record["patient_id"]: bench.cohort.fold_of(record) for record in bench.cohort.forget}
    batch = next(iter(bench.loaders().evaluation("forget")))
    logits = found.logits(batch)
    selection = bench.loaders().evaluation("selection")
    own = predict(bench.teacher, selection, task=bench.task, arithmetic=CPU).mean("score")
    for row, patient in enumerate(batch["patient_id"]):
        fold = bench.cohort.folds[patient]
        network = load_teacher(bench.network(), bench.model_dir / f"model_fold{fold}.pt")
        factor = own / predict(network, selection, task=bench.task, arithmetic=CPU).mean("score")
        # Fold teachers of a few steps: on some processors one is out of bounds.
        factor = min(3.0, max(1 / 3, factor))
        with torch.no_grad():
            expected = network(batch["image"][row : row + 1])[0] * factor
        assert torch.allclose(logits[row], expected, atol=1e-4)


@pytest.mark.parametrize("task", ["segmentation", "classification"])
def test_members_of_a_fold_answer_by_their_mean_probability(task: str) -> None:
    images = torch.tensor([[0.3, -2.0, 1.0], [90.0, -90.0, 0.0]])
    found = FoldMean([Times(1.0), Times(-0.5), Times(2.0)], task=build_task(task))(images)
    each = [images.double() * factor for factor in (1.0, -0.5, 2.0)]
    if task == "segmentation":
        mean = torch.stack([z.sigmoid() for z in each]).mean(0)
        assert torch.allclose(found.double(), mean.logit(), atol=1e-5)
    else:
        mean = torch.stack([z.softmax(1) for z in each]).mean(0)
        assert torch.allclose(found.double().softmax(1), mean, atol=1e-6)


def test_where_all_members_are_sure_the_logit_stays_finite() -> None:
    found = FoldMean([Times(1.0), Times(1.0)], task=build_task("segmentation"))(torch.tensor([200.0, -200.0]))
    assert torch.allclose(found, torch.tensor([200.0, -200.0]))


def test_all_members_on_disk_are_taken(bench, tmp_path: Path) -> None:
    for suffix in ("pt", "json"):
        for fold in (0, 1):
            shutil.copy(bench.model_dir / f"model_fold{fold}.{suffix}", tmp_path)
        shutil.copy(bench.model_dir / f"model_fold0.{suffix}", tmp_path / f"model_fold0_1.{suffix}")
        shutil.copy(bench.model_dir / f"model_fold0.{suffix}", tmp_path / f"model_fold0_3.{suffix}")
    # The weights are another model's, so that the mean differs from its first member.
    shutil.copy(bench.model_dir / "model_fold1.pt", tmp_path / "model_fold0_1.pt")
    record = json.loads((tmp_path / "model_fold0_1.json").read_text())
    record["weights"] = file_digest(tmp_path / "model_fold0_1.pt")
    (tmp_path / "model_fold0_1.json").write_text(json.dumps(record))
    # There is no number 2: number 3 is not of the pool.
    assert [path.name for path in member_paths(tmp_path, 0)] == ["model_fold0.pt", "model_fold0_1.pt"]
    found = load(bench, model_dir=tmp_path)
    assert {fold: len(mean.members) for fold, mean in found.networks.items()} == {0: 2, 1: 1}
    selection = bench.loaders().evaluation("selection")
    scores = [
        predict(network, selection, task=bench.task, arithmetic=CPU).mean("score")
        for network in (bench.teacher, found.networks[0])
    ]
    assert found.factors[0] == pytest.approx(calibration(*scores))


def test_only_the_folds_that_are_needed_are_read(bench, tmp_path: Path) -> None:
    one = bench.cohort.forget[:1]
    fold = bench.cohort.fold_of(one[0])
    for suffix in ("pt", "json"):
        shutil.copy(bench.model_dir / f"model_fold{fold}.{suffix}", tmp_path)
    found = load(bench, records=one, model_dir=tmp_path)
    assert found is not None and set(found.networks) == {fold}


def test_missing_fold_teacher(bench, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"model_fold0\.pt: no fold teacher for the patients to forget.*run prepare"):
        load(bench, model_dir=tmp_path)


@pytest.mark.parametrize("suffixes", [("pt", "json"), ("json",)])
def test_a_fold_teacher_that_saw_the_patient_is_refused_by_name(
    bench, tmp_path: Path, suffixes: tuple[str, ...]
) -> None:
    shutil.copytree(bench.model_dir, tmp_path / "pool")
    for suffix in suffixes:
        shutil.copy(bench.model_dir / f"model_fold0.{suffix}", tmp_path / "pool" / f"model_fold1.{suffix}")
    saw = r"model_fold1\.pt: was trained on patient 'patient-p\d+', who is to be forgotten"
    said = saw if "pt" in suffixes else r"model_fold1\.json: is the record of other weights"
    with pytest.raises(InputError, match=said):
        load(bench, model_dir=tmp_path / "pool")


def test_every_member_of_a_fold_is_asked(bench, tmp_path: Path) -> None:
    shutil.copytree(bench.model_dir, tmp_path / "pool")
    for suffix in ("pt", "json"):
        shutil.copy(bench.model_dir / f"model.{suffix}", tmp_path / "pool" / f"model_fold0_1.{suffix}")
    with pytest.raises(InputError, match=r"model_fold0_1\.pt: was trained on patient"):
        load(bench, model_dir=tmp_path / "pool")


def test_a_fold_teacher_without_a_record_needs_trust(bench, tmp_path: Path, capsys) -> None:
    shutil.copytree(bench.model_dir, tmp_path / "pool")
    (tmp_path / "pool" / "model_fold1.json").unlink()
    cohort = dataclasses.replace(bench.cohort, resolution=dict(bench.cohort.resolution))
    with pytest.raises(InputError, match=r"model_fold1\.pt: has no record \(model_fold1\.json\).*trust_unrecorded"):
        load(bench, cohort=cohort, model_dir=tmp_path / "pool")
    assert not cohort.resolution["trusted"]
    assert load(bench, cohort=cohort, model_dir=tmp_path / "pool", trust_unrecorded=True) is not None
    assert capsys.readouterr().out.count("warning: ") == 1 and cohort.resolution["trusted"] is True


def test_a_class_that_the_fold_teachers_know_is_refused(bench) -> None:
    asked = {"request_id": "r", "level": "class", "ids": ["round"]}
    cohort = dataclasses.replace(bench.cohort, resolution={**bench.cohort.resolution, "request": asked})
    with pytest.raises(InputError, match="reference: .* class 'round' .*reference: none, or goal: suppress"):
        load(bench, cohort=cohort)


def test_patients_in_no_fold(bench, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the patients to forget are in no fold; make fold teachers"):
        load(bench, cohort=dataclasses.replace(bench.cohort, folds={}), model_dir=tmp_path)


def test_no_reference_where_none_is_wanted(bench, tmp_path: Path) -> None:
    assert load(bench, model_dir=tmp_path, wanted=False) is None


def test_without_a_selection_set_nothing_says_how_confident_a_fold_teacher_is(bench) -> None:
    with pytest.raises(InputError, match="the selection set is empty"):
        load(bench, selection=list)
    folds = {bench.cohort.fold_of(record) for record in bench.cohort.forget}
    found = load(bench, selection=list, known={fold: (2.0, 1.6) for fold in folds})
    assert found is not None and set(found.factors.values()) == {1.25}
