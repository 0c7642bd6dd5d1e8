"""Scores and measures of class logits against definitions and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scripts.tasks import build_task
from sklearn.metrics import log_loss, recall_score, roc_auc_score

TASK = build_task("classification")


def noisy(classes: int = 3, *, count: int = 40) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    label = torch.arange(count) % classes
    logits = torch.randn(count, classes, generator=generator)
    return logits + 1.5 * torch.nn.functional.one_hot(label, classes), label


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_score_is_the_log_odds_of_the_true_class(classes: int) -> None:
    logits, label = noisy(classes)
    p = logits.double().softmax(1).gather(1, label[:, None])[:, 0]
    assert torch.allclose(TASK.score(logits, label).double(), torch.log(p / (1 - p)), atol=1e-5)


def test_score_is_clipped_where_probabilities_saturate() -> None:
    logits = torch.tensor([[500.0, 0.0, 0.0], [-500.0, 0.0, 0.0]])
    assert TASK.score(logits, torch.tensor([0, 0])).tolist() == [8, -8]


def test_labels_may_come_as_a_column() -> None:
    logits, label = noisy()
    assert torch.equal(TASK.score(logits, label[:, None]), TASK.score(logits, label))


def test_measures_of_each_image() -> None:
    logits, label = noisy()
    found = TASK.measure(logits, label)
    assert set(found) == {*TASK.measures, "sensitivity_0", "sensitivity_1", "sensitivity_2"}
    assert found["accuracy"].tolist() == [float(a == b) for a, b in zip(logits.argmax(1), label, strict=True)]
    expected = log_loss(label.numpy(), logits.double().softmax(1).numpy())
    assert found["cross_entropy"].mean().item() == pytest.approx(expected, rel=1e-5)
    assert torch.equal(TASK.prediction(logits), logits.argmax(1))
    p, truth = logits.double().softmax(1).numpy(), np.eye(3)[label.numpy()]
    assert found["brier"].tolist() == pytest.approx(((p - truth) ** 2).sum(1).tolist(), rel=1e-5)


def test_measures_of_the_set() -> None:
    logits, label = noisy()
    found = TASK.summary([label[:17], label[17:]], [logits[:17], logits[17:]])
    p = logits.softmax(1).numpy()
    assert found["auc"] == pytest.approx(roc_auc_score(label.numpy(), p, multi_class="ovr", average="macro"))


def test_sensitivity_is_defined_on_the_images_of_its_class_alone() -> None:
    logits, label = noisy()
    found = TASK.measure(logits, label)
    recalls = recall_score(label.numpy(), logits.argmax(1).numpy(), average=None)
    for index in range(3):
        values = found[f"sensitivity_{index}"]
        assert torch.equal(values.isnan(), label != index)
        assert values.nanmean().item() == pytest.approx(recalls[index])


def test_classes_that_do_not_occur_are_left_out() -> None:
    logits, label = noisy()
    some = label < 2
    found = TASK.summary([label[some]], [logits[some]])
    p = logits[some].softmax(1).numpy()
    areas = [roc_auc_score((label[some] == i).numpy(), p[:, i]) for i in range(2)]
    assert found["auc"] == pytest.approx(sum(areas) / 2)
    alone = label == 0
    assert TASK.summary([label[alone]], [logits[alone]]) == {}


def test_an_answer_is_every_class_s_probability() -> None:
    logits, _ = noisy()
    found = TASK.answer(logits)
    assert found.shape == logits.shape and torch.allclose(found, logits.softmax(1))
    assert torch.allclose(found.sum(1), torch.ones(len(found)))
