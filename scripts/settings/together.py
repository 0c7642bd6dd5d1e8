"""Values of several settings that contradict each other, or that no table of types and ranges can tell."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from scripts.errors import InputError


def check_together(values: Mapping[str, Any]) -> None:
    """Refuse values that contradict each other.

    Raises:
        InputError: names the settings and their values.
    """

    def value(name: str) -> Any:
        return values.get(name)

    if value("min_rounds") and value("max_rounds") and value("min_rounds") > value("max_rounds"):
        raise InputError(f"min_rounds: {value('min_rounds')} is more than max_rounds, {value('max_rounds')}")
    if value("folds") == 1:
        raise InputError("folds: 1 is not allowed; allowed: 0 for none, or from 2")
    if value("member") and value("fold") == -1:
        raise InputError(f"member: {value('member')} is the number of a fold teacher, and fold: -1 leaves out no fold")
    if 0 < (value("reference_pairs") or 0) < 4:
        raise InputError(f"reference_pairs: {value('reference_pairs')} is not allowed; allowed: 0, or from 4")
    slack, bound = value("suppress_slack"), value("suppress_bound")
    if slack is not None and bound is not None and slack >= bound:
        raise InputError(f"suppress_slack: {slack} is not below suppress_bound, {bound}")
    if (value("validate_every") or 0) > (value("epochs") or math.inf):
        needing = ["select"] * (value("select") == "best") + ["patience"] * bool(value("patience"))
        if needing:
            raise InputError(
                f"{needing[0]}: {value(needing[0])} needs looks at the selection set, and there are none:"
                f" validate_every, {value('validate_every')}, is more than epochs, {value('epochs')}"
            )
    if bool(value("fold_models")) is not bool(value("fold_lists")):
        raise InputError(
            f"fold_models: '{value('fold_models')}', fold_lists: '{value('fold_lists')}': give both, or neither"
        )
    names_foreign = value("dataset_name") == "foreign"
    if {"foreign", "dataset_name"} <= values.keys() and names_foreign is not bool(value("foreign")):
        raise InputError(
            f"dataset_name: {value('dataset_name')}, foreign: '{value('foreign')}': give both for somebody else's"
            " bundle (configs/foreign.yaml and --foreign DIR), or neither"
        )
    if "image_size" in values and value("image_size") is None and not value("patch_size") and not value("foreign"):
        raise InputError("image_size: null leaves images of many sizes; give patch_size too, or a size for all")
    if value("test_augment") == "flips" and value("attacks"):
        raise InputError(
            f"test_augment: flips, attacks: {value('attacks')}: attacked copies answer each image as it is, and would"
            " be compared with answers to flips; give attacks: [], or test_augment: none"
        )
    if value("cached_views") and value("forget_augment") == "none" and not (value("patch_size") or value("foreign")):
        raise InputError(
            f"cached_views: {value('cached_views')} has no effect with forget_augment: none; give the random transforms"
            " of which they are draws, or 0"
        )
    if value("forget_objective") == "imitation" and value("reference") == "none":
        raise InputError(
            "forget_objective: imitation takes its targets from fold teachers, which reference: none rules out; give"
            " reference: fold, or another objective"
        )
    shares = [name for name in ("validation_share", "test_share", "guard_share") if value(name)]
    if sum(value(name) for name in shares) >= 1:
        raise InputError(f"{', '.join(shares)}: together they leave no training data; their sum must be below 1")
    if value("request") and value("forget_ratio"):
        raise InputError(
            f"request: '{value('request')}' and forget_ratio: {value('forget_ratio')} are both given; give one"
        )
    if value("device") is not None and not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", value("device")):
        raise InputError(f"device: '{value('device')}' is not allowed; allowed: auto, cpu, cuda, cuda:N")
    for name in ("model_name", "output_file", "output_postfix"):
        if value(name) is not None and (not value(name) or "/" in value(name) or value(name) in (".", "..")):
            raise InputError(f"{name}: '{value(name)}' is not a name; folders go into a setting of their own")
    if value("model_name") is not None and value("model_name").lower().endswith(".json"):
        raise InputError(f"model_name: '{value('model_name')}' is the name of a record; weights are called as model.pt")
