"""Forget-MI, as published and bounded, beside retraining, on generated pairs of pictures and reports.

make study STUDY=multimodal
"""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from scripts.multimodal.forget_mi import forgotten, trained
from scripts.multimodal.fusion import LateFusion
from scripts.multimodal.pairs import CLASSES, Pairs, generated, is_mislabelled, vocabulary
from tests.studies import common
from torch.nn import functional

SEEDS = (1, 2, 3)
SUBJECTS, TESTED = 200, 100
SHARES = (0.03, 0.06, 0.1)  # of the subjects, as published
STEPS, FORGETTING = 1500, 150


@torch.no_grad()
def measured(model: LateFusion, forget: Pairs, test: Pairs) -> dict[str, float]:
    """Accuracies, by the labels as they were given and as they are, and the rule that needs no retrained model."""

    def share(pairs: Pairs, labels: torch.Tensor) -> float:
        return float((model(pairs.images, pairs.reports).argmax(1) == labels).float().mean())

    def loss(pairs: Pairs) -> float:
        return float(functional.cross_entropy(model(pairs.images, pairs.reports), pairs.labels))

    wrong = forget.of([subject for subject in forget.subjects.unique().tolist() if is_mislabelled(subject)])
    return {
        "forget": share(forget, forget.labels),
        "recall of wrong classes": share(wrong, wrong.labels),
        "test": share(test, test.truth),
        "forget CE - test CE": loss(forget) - loss(test),
    }


@pytest.mark.study
@pytest.mark.parametrize("seed", SEEDS)
def test_forget_mi(seed: int) -> None:
    everything = generated(range(SUBJECTS), mislabelled=True, seed=seed)
    test = generated(range(SUBJECTS, SUBJECTS + TESTED), mislabelled=False, seed=seed)
    torch.manual_seed(seed)
    fresh = LateFusion(words=vocabulary(), classes=CLASSES)
    original = trained(everything, seed=seed, steps=STEPS, model=copy.deepcopy(fresh))
    found: dict[str, Any] = {}
    for share in SHARES:
        # Every third one to be forgotten carries a wrong class.
        count = round(share * SUBJECTS)
        wrong = [one for one in range(SUBJECTS) if is_mislabelled(one)][: max(1, count // 3)]
        right = [one for one in range(SUBJECTS) if not is_mislabelled(one)][: count - len(wrong)]
        forget, retain = everything.of(wrong + right), everything.of(wrong + right, inside=False)
        models = {
            "original": original,
            "retrained": trained(retain, seed=seed, steps=STEPS, model=copy.deepcopy(fresh)),
            "bounded": forgotten(original, forget=forget, retain=retain, seed=seed, steps=FORGETTING),
            "as published": forgotten(
                original, forget=forget, retain=retain, seed=seed, steps=FORGETTING, bounded=False
            ),
        }
        found[f"{share:.0%}"] = {name: measured(model, forget, test) for name, model in models.items()}
    common.save(f"multimodal/seed{seed}", found)
    assert found["10%"]["original"]["test"] > 0.5
