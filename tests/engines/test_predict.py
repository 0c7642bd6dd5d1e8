"""Every image is measured by itself, and averaged by patient."""

from __future__ import annotations

import math

import pytest
import torch
from scripts.data.datasets import AugmentedDataset, EpochLoader
from scripts.engines.arithmetic import Arithmetic
from scripts.engines.predict import Rows, predict
from scripts.tasks import build_task
from torch import nn

SEGMENTATION, CLASSIFICATION = build_task("segmentation"), build_task("classification")
CPU = Arithmetic(device="cpu")


def test_rows_are_those_of_a_plain_loop(bench) -> None:
    loader = bench.loaders(batch_size=3).evaluation("retain")
    rows = predict(bench.teacher, loader, task=SEGMENTATION, arithmetic=CPU, surface=True)
    assert rows.image_ids == [record["image_id"] for record in bench.cohort.retain]
    assert rows.patient_ids == [record["patient_id"] for record in bench.cohort.retain]
    assert set(rows.values) == {*SEGMENTATION.measures, "score"}
    for i, item in enumerate(bench.loaders().dataset("retain")):
        with torch.no_grad():
            logits = bench.teacher(item["image"][None])
        expected = SEGMENTATION.measure(logits, item["label"][None])
        expected["score"] = SEGMENTATION.score(logits, item["label"][None])
        for name, value in expected.items():
            assert rows.values[name][i].item() == pytest.approx(value.item(), abs=1e-4), name


def test_batch_size_does_not_change_a_figure(bench) -> None:
    found = [
        predict(bench.teacher, bench.loaders(batch_size=size).evaluation("test"), task=SEGMENTATION, arithmetic=CPU)
        for size in (1, 8)
    ]
    assert torch.allclose(found[0].values["score"], found[1].values["score"], atol=1e-4)
    assert found[0].mean("dice") == pytest.approx(found[1].mean("dice"), abs=1e-3)


def test_surface_distances_only_where_asked_for(bench) -> None:
    loader = bench.loaders().evaluation("test")
    assert "hd95" not in predict(bench.teacher, loader, task=SEGMENTATION, arithmetic=CPU).values


def test_modes_are_put_back_and_buffers_stay(bench) -> None:
    network = bench.network(seed=3).train()
    next(network.children()).eval()
    modes = [module.training for module in network.modules()]
    before = {name: value.clone() for name, value in network.state_dict().items()}
    predict(network, bench.loaders().evaluation("test"), task=SEGMENTATION, arithmetic=CPU)
    assert [module.training for module in network.modules()] == modes
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_patients_count_alike_whatever_the_number_of_their_images() -> None:
    values = {"dice": torch.tensor([1.0, 0.0, 0.5, float("nan"), float("nan")])}
    rows = Rows(list("abcde"), ["p2", "p1", "p1", "p1", "p3"], values)
    assert rows.patient_means("dice").tolist() == [0.25, 1.0]  # p1, p2; of p3 nothing is defined
    assert rows.mean("dice") == 0.625
    assert math.isnan(rows.mean("absent"))


def test_nothing_to_predict(bench) -> None:
    assert predict(bench.teacher, [], task=SEGMENTATION, arithmetic=CPU) == Rows()
    assert math.isnan(predict(bench.teacher, iter(()), task=SEGMENTATION, arithmetic=CPU).mean("score"))


def test_classes_also_get_the_measures_of_the_set() -> None:
    items = [
        {"image": torch.tensor([a, b]), "label": torch.tensor(c), "image_id": str(i), "patient_id": str(i // 2)}
        for i, (a, b, c) in enumerate([(1.0, 0.0, 0), (0.0, 1.0, 0), (0.0, 3.0, 1), (0.2, 1.0, 1)])
    ]
    loader = EpochLoader(AugmentedDataset(items), batch_size=3)
    rows = predict(nn.Identity(), loader, task=CLASSIFICATION, arithmetic=CPU)
    assert rows.mean("accuracy") == 0.75
    assert rows.mean("sensitivity_0") == 0.5 and rows.mean("sensitivity_1") == 1
    # z_1 - z_0 is -1, 1 for class 0 and 3, 0.8 for class 1: three of the four pairs are in order.
    assert rows.summary["auc"] == 0.75
