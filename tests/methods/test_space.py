"""What is tuned of each method, and between which bounds."""

from __future__ import annotations

import pytest
from scripts.methods.registry import NAMES, build_method, method_class
from scripts.methods.space import space
from scripts.settings.groups.comparing import WITHOUT_TUNING
from scripts.settings.schema import SETTINGS
from scripts.settings.values import read_value
from tests.methods.toys import ABOUT


def built(name: str):
    task = "classification" if method_class(name).only_classes else "segmentation"
    return build_method(name, ABOUT | {"task": task})


@pytest.mark.parametrize("name", NAMES)
def test_every_bound_is_a_value_that_the_method_takes(name: str) -> None:
    method = built(name)
    ranges = space(method)
    assert bool(ranges) == (name not in WITHOUT_TUNING)
    for setting, own in ranges.items():
        for value in (own.low, own.high):
            read_value(SETTINGS[setting], int(value) if own.whole else value)
        published = method.as_settings()[setting]
        assert own.low <= published <= own.high, "the search begins at what is published"


def test_the_same_rule_for_all() -> None:
    found = space(built("salun"))
    assert set(found) == {"forget_learning_rate", "forget_weight", "max_rounds", "saliency_share"}
    assert (found["forget_learning_rate"].low, found["forget_learning_rate"].high) == (1e-3, 1e-1)
    assert (found["max_rounds"].low, found["max_rounds"].high) == (1, 20)
    assert set(space(built("ssd"))) == {"dampen_above", "dampening"}
