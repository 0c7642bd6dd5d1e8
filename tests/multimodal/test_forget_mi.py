"""Forget-MI on generated pairs: the bound holds, and known truth tells what was memorised."""

from __future__ import annotations

import pytest
import torch
from scripts.multimodal.forget_mi import PARTS, bound, forgotten, leaving, trained
from scripts.multimodal.fusion import Embedded, LateFusion
from scripts.multimodal.pairs import CLASSES, Pairs, generated, is_mislabelled, vocabulary


@pytest.fixture(scope="module")
def pairs() -> Pairs:
    return generated(range(40), mislabelled=True)


@pytest.fixture(scope="module")
def original(pairs: Pairs) -> LateFusion:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = LateFusion(words=vocabulary(), classes=CLASSES)
    return trained(pairs, seed=0, steps=400, model=network)


def wrong_share(model: LateFusion, pairs: Pairs) -> float:
    """Mean probability of the wrong class that mislabelled subjects carry."""
    own = pairs.labels != pairs.truth
    with torch.no_grad():
        found = model(pairs.images[own], pairs.reports[own]).softmax(1)
    return float(found.gather(1, pairs.labels[own][:, None]).mean())


def test_pairs_are_the_same_at_every_call_and_known(pairs: Pairs) -> None:
    again = generated(range(40), mislabelled=True)
    assert torch.equal(pairs.images, again.images) and torch.equal(pairs.reports, again.reports)
    wrong = {int(one) for one in pairs.subjects[pairs.labels != pairs.truth]}
    assert wrong == {subject for subject in range(40) if is_mislabelled(subject)}
    assert torch.equal(
        generated(range(40, 50), mislabelled=False).labels, generated(range(40, 50), mislabelled=False).truth
    )
    assert len(pairs.of([1, 2])) == 6 and len(pairs.of([1, 2], inside=False)) == len(pairs) - 6


def test_leaving_is_worth_nothing_beyond_the_bound() -> None:
    here, there = torch.zeros(2, 3), torch.tensor([[3.0, 4.0, 0.0], [0.3, 0.4, 0.0]])
    one, other = (Embedded(part, part, part, part) for part in (here, there))
    assert leaving(one, other, "image", 2.0).item() == pytest.approx((0 + 1.5) / 2, abs=1e-4)
    assert leaving(one, other, "image", None).item() == pytest.approx(-(5 + 0.5) / 2, abs=1e-4)


def test_the_original_has_memorised_wrong_classes(original: LateFusion, pairs: Pairs) -> None:
    assert wrong_share(original, pairs) > 0.9


def test_subjects_are_forgotten_within_the_bound_and_the_others_are_kept(original: LateFusion, pairs: Pairs) -> None:
    asked = [0, 5, 10]
    forget, retain = pairs.of(asked), pairs.of(asked, inside=False)
    student = forgotten(original, forget=forget, retain=retain, seed=1, steps=150)
    assert wrong_share(student, forget) < wrong_share(original, forget) - 0.2
    assert wrong_share(student, retain) > 0.8
    with torch.no_grad():
        before, after = (model.embed(forget.images, forget.reports) for model in (original, student))
    for part in PARTS:
        moved = (getattr(after, part) - getattr(before, part)).norm(dim=1)
        assert 0 < float(moved.mean()) < 1.5 * bound(original, retain, part)
    with torch.no_grad():
        right = (student(retain.images, retain.reports).argmax(1) == retain.labels).float().mean()
    assert right > 0.9
