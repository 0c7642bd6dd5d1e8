"""No workflow imports a heavy package before it is needed: its modules load where none of them can be imported."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

# MONAI imports some of them by itself where they are installed; that ours asks for one too shows only if that fails.
HEAVY = (
    *("peft", "transformers", "accelerate", "huggingface_hub", "itk", "pydicom", "imagehash", "scipy", "sklearn"),
    *("skimage", "pandas", "matplotlib", "tensorboard", "tensorboardX", "mlflow", "torchvision"),
)
# Statistics are what these workflows are for; preparation makes models as references are made, renewal prepares, and
# processing computes a verdict again before it commits.
STATISTICS = {
    "prepare": {
        "scripts.pool.calibration": "scipy",
        "scripts.pool.preparation": "scipy",
        "scripts.pool.qualifying": "scipy",
    },
    "tune": {"scripts.pool.calibration": "scipy", "scripts.pool.tuning": "scipy"},
    "compare": {"scripts.comparison.comparison": "scipy", "scripts.comparison.standing": "scipy"},
    "process": {"scripts.inbox.processing": "scipy"},
    "renew": {"scripts.pool.renewal": "scipy"},
    "references": {"scripts.references.pool": "scipy"},
    "verify": {"scripts.record.judgement": "scipy", "scripts.references.answering": "scipy"},
    "verifier_study": {"scripts.references.verifier_study": "scipy"},
}
# What an operator may ask of a workflow -> the package without which it cannot be had.
USES = {
    "student": "peft",
    "look_alikes": "imagehash",
    "auc": "sklearn",
    "pictures": "matplotlib",
    "tensorboard": "tensorboard",
    "phantom": "scipy",
}
PROBE = """
import importlib, json, sys
from pathlib import Path

given = json.loads(sys.argv[1])
sys.modules.update(dict.fromkeys(given["heavy"]))  # None: an import of it is an error, whoever asks
import monai.bundle, monai.engines, monai.handlers

def missing(call, *words):
    try:
        call(*words)
    except ImportError as error:
        return (error.name or str(error)).partition(".")[0]

early = {}
for workflow, names in given["modules"].items():
    early[workflow] = {name: found for name in names if (found := missing(importlib.import_module, name))}

import torch

def student():
    from scripts.student.adapter import AdapterStudent
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 1), torch.nn.Conv2d(2, 1, 1))
    sample = torch.zeros(1, 1, 8, 8)
    AdapterStudent.attach(network, scope="all", rank=1, alpha=1, dropout=0, sample=sample, seed=0)

def look_alikes():
    from scripts.cohort.near_duplicates import fingerprint
    fingerprint(torch.eye(8)[None])

def auc():
    from scripts.tasks import build_task
    build_task("classification").summary([torch.tensor([0, 1])], [torch.eye(2)])

def pictures():
    from scripts.report.pictures import _pyplot
    _pyplot()

def tensorboard():
    from scripts.engines.handlers import History
    folder = Path(given["folder"])
    History(path=folder / "history.csv", phase="train", tensorboard=folder / "board").finish(None)

def phantom():
    from scripts.data import build_source
    build_source("phantom")

uses = {call.__name__: missing(call) for call in (student, look_alikes, auc, pictures, tensorboard, phantom)}
print(json.dumps({"early": early, "uses": uses}))
"""


def named_modules(repository: Path, config: Path) -> list[str]:
    """Modules of `scripts` that a config names, in its targets and expressions."""
    found = []
    for name in re.findall(r"\bscripts(?:\.\w+)+", config.read_text(encoding="utf-8")):
        path = repository.joinpath(*name.split("."))
        while not (path.is_dir() or path.with_suffix(".py").is_file()):
            path = path.parent
        found.append(".".join(path.relative_to(repository).parts))
    return sorted(set(found))


@pytest.fixture(scope="module")
def probed(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a process without the heavy packages fails to import."""
    modules = {path.stem: named_modules(repository, path) for path in sorted((repository / "configs").glob("*.yaml"))}
    given = {"heavy": HEAVY, "modules": modules, "folder": str(tmp_path_factory.mktemp("history"))}
    command = [sys.executable, "-W", "ignore", "-c", PROBE, json.dumps(given)]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return {"modules": modules, **json.loads(done.stdout.splitlines()[-1])}


def test_modules_that_the_configs_name_load_without_heavy_packages(probed: dict[str, Any]) -> None:
    assert {"train", "forget", "restore", "revert", "evaluate", "inference", "unlearn"} <= probed["early"].keys()
    assert "scripts.engines.forward" in probed["modules"]["forget"]
    assert {workflow: found for workflow, found in probed["early"].items() if found} == STATISTICS


def test_a_heavy_package_is_imported_where_it_is_used(probed: dict[str, Any]) -> None:
    assert probed["uses"] == USES
