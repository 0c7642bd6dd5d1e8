"""What the studies share: workflows run in process, and their results as JSON.

Models and run folders go to `eval/studies/`, so a study that is interrupted or repeated goes on from there.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from scripts.chain import run_workflow
from scripts.engines.arithmetic import Arithmetic
from scripts.engines.models import model_path
from scripts.files import write_json
from scripts.settings.workflows import accepted

ROOT = Path(__file__).parents[2]
WORK = ROOT / "eval" / "studies"
RESULTS = ROOT / "docs" / "results"


def overlay(name: str) -> dict[str, Any]:
    """The values of `configs/<name>.yaml`."""
    return yaml.safe_load((ROOT / "configs" / f"{name}.yaml").read_text(encoding="utf-8"))


def known(workflow: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Those settings that the workflow knows, and those of the workflows that it runs."""
    own = yaml.safe_load((ROOT / "configs" / f"{workflow}.yaml").read_text(encoding="utf-8"))
    known_to = {*own, *accepted(workflow)}
    return {key: value for key, value in settings.items() if key in known_to or "::" in key}


def run(workflow: str, settings: Mapping[str, Any], *, run_id: str = "run") -> Any:
    """Run `configs/<workflow>.yaml` with `settings`; returns the workflow."""
    base = {"bundle_root": str(ROOT), "progress": False, "threads": 1}
    path = str(ROOT / "configs" / f"{workflow}.yaml")
    return run_workflow([path], run_id=run_id, overrides=known(workflow, {**base, **settings}))


def train(folder: Path, name: str, settings: Mapping[str, Any]) -> Path:
    """Train one model to `folder/<name>.pt`; what is there already is taken as it is."""
    member = {"fold": settings.get("fold", -1), "member": settings.get("member", 0)}
    path = model_path(model_dir=str(folder), model_name=f"{name}.pt", **member)
    if not path.is_file():
        own = {"model_dir": str(folder), "model_name": f"{name}.pt", "output_dir": str(folder / f"run_{path.stem}")}
        run("train", {**settings, **own}, run_id="single")
    return path


def share_pool(pool: Path, folder: Path) -> None:
    """Put the fold teachers of `pool` beside the model in `folder`: one pool serves the originals of all seeds."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in pool.glob("model_fold*.*"):
        shutil.copy(path, folder)


def unlearn(folder: Path, settings: Mapping[str, Any], *, restore: bool = True) -> dict[str, Any]:
    """Forget, restore where the method does, and evaluate in `folder`; the metrics, with cost and progress."""
    own = {**settings, "output_dir": str(folder)}
    if not (folder / "release" / "metrics.json").is_file():
        run("forget", own)
        if restore and "restore" in read(folder / "private" / "state.json")["phases"]:
            run("restore", own)
        run("evaluate", own)
    metrics = read(folder / "release" / "metrics.json")
    metrics["cost"] = read(folder / "release" / "timing.json")
    metrics["phases"] = {key: value for key, value in read(folder / "private" / "state.json").items() if key != "state"}
    return metrics


def evaluate(folder: Path, student: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The metrics of weights that no forgetting made: a control."""
    if not (folder / "release" / "metrics.json").is_file():
        own = {"output_dir": str(folder), "student_path": str(student), "overlays": 0, "attacks": []}
        run("evaluate", {**settings, **own})
    return read(folder / "release" / "metrics.json")


def read(path: Path) -> Any:
    """Content of a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def save(name: str, content: Any) -> None:
    """Write `docs/results/<name>.json`, floats rounded to four places."""
    write_json(RESULTS / f"{name}.json", rounded(content))


def rounded(content: Any) -> Any:
    """The same with floats of four places; what is not finite, which JSON does not know, is None."""
    if isinstance(content, float):
        return round(content, 4) if math.isfinite(content) else None
    if isinstance(content, Mapping):
        return {str(key): rounded(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [rounded(value) for value in content]
    return content


def means(metrics: Mapping[str, Any], model: str, name: str) -> dict[str, float]:
    """One measure of one model on every set."""
    return {part: found[name]["mean"] for part, found in metrics[model].items() if name in found}


def spread(values: Sequence[float]) -> dict[str, Any]:
    """Mean, standard deviation and the values themselves."""
    array = np.asarray(values, dtype=float)
    deviation = float(array.std(ddof=1)) if len(array) > 1 else None
    return {"mean": float(array.mean()), "sd": deviation, "values": array.tolist()}


def cpu() -> Arithmetic:
    """One thread of the CPU, float32."""
    torch.set_num_threads(1)
    return Arithmetic(device="cpu")
