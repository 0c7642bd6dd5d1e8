"""One screen: what was forgotten, what it cost, what was kept, where it lies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scripts.files import read_json, reading
from scripts.record.run_folder import RunFolder
from scripts.settings.groups.measuring import ATTEMPTS
from scripts.tasks.registry import TASKS

# Model -> heading.
MODELS = {"teacher": "teacher", "student": "student", "retrained": "retrain", "ensemble": "folds"}
KEY_METRICS = tuple(dict.fromkeys(kind.key_metric for kind in TASKS.values()))
ATTACKED = ("teacher", "student", "fold_teacher", "retrained")
# Measure -> heading: `missed` is the share of the true mask that is not found, `no mask` the share of empty answers.
SHOWN = {
    "iou": "iou",
    "dice": "dice",
    "accuracy": "accuracy",
    "ssim": "ssim",
    "psnr": "psnr",
    "false_negative_rate": "missed",
    "empty_mask": "no mask",
}
REMEDY = "remove it and run the command that writes it again"


class Summary:
    """Print the outcome of a run from its artefacts; sizes and figures, no ids and no paths of patients."""

    def __init__(self, *, folder: RunFolder, goal: str, dataset_name: str) -> None:
        self.folder = folder
        self.goal = goal
        self.dataset_name = dataset_name

    def show(self) -> None:
        """Print the page."""
        print("\n".join(self.lines()), flush=True)

    def lines(self) -> list[str]:
        """The page."""
        metrics = _read(self.folder.metrics)
        with reading(self.folder.metrics, remedy=REMEDY):
            table = self._table(metrics)
        with reading(self.folder.state_file, remedy=REMEDY):
            forgetting = self._forgetting(metrics)
        with reading(self.folder.metrics, remedy=REMEDY):
            recovery = self._recovery(metrics.get("recovery", {}))
        with reading(self.folder.timing, remedy=REMEDY):
            cost = self._cost()
        synthetic = " (synthetic data)" if self.dataset_name == "phantom" else ""
        title = f"goal: {self.goal}   data: {self.dataset_name}{synthetic}   state: trial, not erased"
        rule = "-" * 78
        return [
            "",
            rule,
            title,
            rule,
            *table,
            "",
            *forgetting,
            *cost,
            *recovery,
            "",
            f"student     {self.folder.student}   (plain weights: load into the plain network)",
            f"way back    {self.folder.adapter}   (`run revert` gives the teacher back, bit for bit)",
            f"figures     {self.folder.metrics}",
            f"pictures    {self.folder.overlays}   (patient data: stays in private/)",
            rule,
        ]

    def _table(self, metrics: dict[str, Any]) -> list[str]:
        models = [name for name in MODELS if name in metrics]
        sets = list(metrics[models[0]])
        width = max(len(name) for name in sets) + 1
        shown = [name for name in SHOWN if name in metrics[models[0]][sets[0]]]
        lines = [
            f"{'':{width}}{'patients':>9}" + "".join(f"{SHOWN[name]:>{8 * len(models) + 3}}" for name in shown),
            f"{'':{width}}{'':>9}" + "".join("   " + "".join(f"{MODELS[name]:>8}" for name in models) for _ in shown),
        ]
        for name in sets:
            row = f"{name:{width}}{metrics[models[0]][name]['n_patients']:>9}"
            for measure in shown:
                row += "   " + "".join(f"{_number(metrics[model][name][measure]['mean']):>8}" for model in models)
            lines.append(row)
        return lines

    def _forgetting(self, metrics: dict[str, Any]) -> list[str]:
        found = metrics.get("forgetting", {})
        state = self.folder.read_state()
        lines = []
        if "forget" in state:
            phase = state["forget"]
            text = f"forgetting  {state.get('method', '')} in {phase['rounds']} rounds"
            if "progress" in phase:
                text += f", progress {_number(phase['progress'])} of the way from the teacher to the goal"
                text += f", adapter scale {_number(phase.get('adapter_scale'))}"
            lines.append(text)
        scores = ", ".join(
            f"{name.removeprefix('corrected_score_')} {_number(value)}"
            for name, value in found.items()
            if name.startswith("corrected_score_")
        )
        if scores:
            lines.append(f"score       forget minus validation, nats: {scores}")
        if found.get("forgotten_fraction") is not None:
            lines.append(f"FF          {_number(found['forgotten_fraction'])} (0 nothing, 1 like retrained, >1 over)")
        return lines

    @staticmethod
    def _recovery(found: dict[str, Any]) -> list[str]:
        """The key metric of the forget set after each attack, and the shares that came back."""
        models = [name for name in ATTACKED if name in found]
        if not models:
            return []
        entries = [entry for name in models for entry in found[name].values() if entry is not None]
        key = next((name for name in KEY_METRICS if entries and name in entries[0]), "")
        attacks = made(found)
        width = max(len(attack) for attack in attacks) + 1
        lines = ["", f"forget set after an attack on the weights: {key} (share that came back: by {key}, by score)"]
        lines.append(" " * width + "".join(f"{name.replace('_', ' '):>22}" for name in models))
        for attack in attacks:
            cells = [found[name][attack] for name in models]
            if all(cell is None for cell in cells):
                lines.append(f"{attack:{width}} not made")
            else:
                lines.append(f"{attack:{width}}" + "".join(f"{_attacked(cell, key):>22}" for cell in cells))
        return lines

    def _cost(self) -> list[str]:
        timing = _read(self.folder.timing)
        parts = [
            f"{phase} {entry['wall_seconds']:.1f} s ({entry['steps']} steps)"
            for phase, entry in timing.items()
            if phase in ("forget", "restore")
        ]
        return [f"cost        {', '.join(parts)}"] if parts else []


def _read(path: Any) -> dict[str, Any]:
    return read_json(path, remedy=REMEDY) if path.exists() else {}


def _number(value: Any) -> str:
    return "-" if value is None else f"{value:.3f}"


def made(recovery: Mapping[str, Any]) -> list[str]:
    """The attacks of an evaluation in the order of the settings: a file has them in that of the alphabet."""
    return [name for name in ATTEMPTS if any(name in found for found in recovery.values())]


def _attacked(cell: dict[str, Any], key: str) -> str:
    """`0.913 (.68, .50)` without the brackets where no share can be said."""
    shares = [cell[f"recovered_{name}"] for name in (key, "score")]
    text = _number(cell[key])
    if all(share is None for share in shares):
        return text
    return f"{text} ({', '.join('-' if share is None else f'{share:.2f}' for share in shares)})"
