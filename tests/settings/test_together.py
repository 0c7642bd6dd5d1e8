"""Values of several settings that contradict each other."""

from __future__ import annotations

from typing import Any

import pytest
from scripts.errors import InputError
from scripts.settings.together import check_together


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"min_rounds": 5, "max_rounds": 1}, "min_rounds: 5 is more than max_rounds, 1"),
        ({"folds": 1}, "folds: 1 is not allowed"),
        ({"member": 1, "fold": -1}, "member: 1 is the number of a fold teacher, and fold: -1 leaves out no fold"),
        ({"reference_pairs": 2}, "reference_pairs: 2 is not allowed"),
        ({"suppress_slack": 0.5, "suppress_bound": 0.4}, "suppress_slack: 0.5 is not below suppress_bound, 0.4"),
        ({"validation_share": 0.5, "test_share": 0.5}, "validation_share, test_share: together they leave no training"),
        ({"request": "r.csv", "forget_ratio": 0.1}, "request: 'r.csv' and forget_ratio: 0.1 are both given"),
        ({"select": "best", "validate_every": 5, "epochs": 2}, "select: best needs looks at the selection set"),
        ({"patience": 3, "validate_every": 9, "epochs": 8}, "patience: 3 needs looks at the selection set"),
        ({"test_augment": "flips", "attacks": ["int8"]}, "test_augment: flips, attacks: .'int8'."),
        ({"cached_views": 4, "forget_augment": "none"}, "cached_views: 4 has no effect"),
        ({"forget_objective": "imitation", "reference": "none"}, "forget_objective: imitation takes its targets"),
        ({"model_name": "model.json"}, "model_name: 'model.json' is the name of a record"),
    ],
)
def test_values_that_contradict_each_other(given: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=f"^{said}"):
        check_together(given)


def test_an_overlay_for_another_workflow_contradicts_nothing() -> None:
    check_together({"suppress_slack": 0.9, "select": "last", "validate_every": 5, "epochs": 2, "cached_views": 4})
