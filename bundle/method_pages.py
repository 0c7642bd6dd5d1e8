"""An overlay for each method of forgetting, and the page that says what each of them does, from `scripts/methods`."""

from __future__ import annotations

import inspect
import sys
from typing import Any

from scripts.methods.method import Method
from scripts.methods.recipe import OWN, SETTING_NAMES, Recipe
from scripts.methods.registry import NAMES, method_class
from scripts.settings.schema import SETTINGS
from scripts.tasks.registry import TASKS

COLUMN = 36  # where comments begin
# Fields of a recipe that an overlay shows, where they have an effect.
SHOWN = (
    *("forget_objective", "forget_weight", "retain_objective", "retain_weight", "supervised_weight", "optimizer"),
    *("learning_rate", "momentum", "weight_decay", "lr_schedule", "forget_batch", "retain_batch", "retain_images"),
    *("steps_per_round", "max_rounds"),
)
ABOUT: dict[str, Any] = {"goal": "unlearn", "schedule": "joint", "reference": "fold"}
HEAD = """# Methods of forgetting

Written by `python -m bundle settings` from `scripts/methods`, one file each. A method is chosen by one word, `--method
NAME`, or by its overlay, which shows its settings: `configs/method_NAME.yaml`. What is null there is as published, or
as `tune` found it for this teacher. While they take steps BatchNorm normalises by each batch and its statistics move
as in their authors' code (cf_k and eu_k: in the layers they train); a batch of one image takes the stored ones.
`erase_to_retain` and `fold_start` keep the statistics of the network that they start from; `retrain` makes new ones.
z are logits, z_T the teacher's, p probabilities, theta weights.

`run compare` puts methods side by side on one request, each beside the same retrained models: `python -m scripts
compare --overlay chase --dataset_dir DIR --request request.csv --compare_methods "[salun, scrub, fold_start]"` writes
`compare.md`, `compare.png` and `compare.json`; a method that fails is a row that says so. `run tune` finds settings
for this teacher with the same number of trials for each method, by the distance to models that never saw mock patients
in score and answers, never by the lowest forget score; what it cost stands beside the cost of a request.

| method | formula | source | needs | for |
| --- | --- | --- | --- | --- |
"""


def method_pages() -> dict[str, str]:
    """Place in the bundle -> text."""
    pages = {f"configs/method_{name}.yaml": overlay(name) for name in NAMES}
    return pages | {"docs/METHODS.md": HEAD + "\n".join(_row(name) for name in NAMES) + "\n\n" + _published()}


def built(name: str) -> Method:
    """The method as it is where a config leaves everything open, for the first task that it is for."""
    task = next(task for task, kind in TASKS.items() if not (method_class(name).only_classes and kind.masks))
    return method_class(name)(task=task, given={}, **ABOUT)


def shown(name: str) -> dict[str, Any]:
    """Settings that an overlay shows, and the method's own values."""
    method, recipe = built(name), built(name).recipe
    fields = [field for field in (*OWN, *SHOWN) if _has_effect(field, method, recipe)]
    return {SETTING_NAMES.get(field, field): getattr(recipe, field) for field in fields}


def overlay(name: str) -> str:
    """The overlay of a method."""
    lines = [f"# {_source(name)}", f"method: {name}".ljust(COLUMN - 2) + "  # See docs/METHODS.md."]
    for setting, value in shown(name).items():
        lines.append(f"{setting}: null".ljust(COLUMN - 2) + f"  # {_told(value)}. {SETTINGS[setting].comment}")
    return "\n".join(lines) + "\n"


def _has_effect(field: str, method: Method, recipe: Recipe) -> bool:
    if field in method.idle:
        return False
    if field in OWN:
        return field in method.own
    if field == "supervised_weight":
        return recipe.retain_objective == "supervised_distillation"
    if field == "momentum":
        return recipe.optimizer == "sgd"
    return True


def _row(name: str) -> str:
    kind = method_class(name)
    formula = " ".join((inspect.getdoc(kind) or "").split()).replace("|", "\\|")
    needs = ", ".join(kind.needs) or "nothing"
    who = "classification" if kind.only_classes else "every task"
    return f"| `{name}` | {formula} | {_source(name)} | {needs} | {who}; {', '.join(kind.goals)} |"


def _published() -> str:
    lines = ["## Settings where a config leaves them open", "", "| method | settings |", "| --- | --- |"]
    for name in NAMES:
        told = ", ".join(f"`{setting}` {_told(value)}" for setting, value in shown(name).items())
        lines.append(f"| `{name}` | {told or 'none'} |")
    return "\n".join(lines) + "\n"


def _source(name: str) -> str:
    """The first line of a method's file."""
    return (sys.modules[method_class(name).__module__].__doc__ or "").strip().splitlines()[0].replace("|", "\\|")


def _told(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return "none" if value is None else str(value)
