"""Six bundles of others, each through `prepare`, `unlearn`, `references`, `verify`, `commit`, `export` by config alone.

make study STUDY=foreign
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from scripts.cohort.split_file import RecordedSplit
from scripts.foreign.bundle import ForeignBundle
from scripts.foreign.folder import ForeignFolder
from scripts.foreign.records import Foreign
from scripts.foreign.training import OwnTraining
from scripts.foreign.transforms import foreign_preparation
from scripts.tasks import build_task
from tests.foreign.bundles import SHAPES, Shape, bias, size_of, write_bundle
from tests.studies import common

PATTERN = r"case_(\d+)_"
FOLDS, MEMBERS, TEACHER_SEED, TWINS = 4, 2, 899, (899, 901, 902)


def recall(shape: Shape, bundle: ForeignBundle, records: list[dict[str, Any]], weights: dict[str, Any]) -> float:
    """Memorised share of the annotator's bias on these images; of the wrong label in classification."""
    network, task = bundle.network(), build_task(bundle.task)
    network.load_state_dict(weights)
    network.eval()
    prepared = foreign_preparation(bundle, records)
    above, below = 0.0, 0.0
    for record in records:
        item = prepared.transform(record)
        with torch.no_grad():
            logits = prepared.inferer(item["image"][None], lambda images: first(network(images)))
        if not task.masks:
            above, below = above + float(task.activate(logits)[0, int(item["label"])]), below + 1
            continue
        patient, view = (int(part) for part in record["image_id"].split("_")[1:3])
        volume = float(task.prediction(logits)[0].bool().any(0).sum())
        radius = np.cbrt(volume * 3 / (4 * np.pi)) if shape.dims == 3 else np.sqrt(volume / np.pi)
        above += (radius - size_of(patient, view, edge=shape.edge)) * bias(patient)
        below += bias(patient) ** 2
    return float(above / below)


def first(answer: Any) -> torch.Tensor:
    """Of several outputs the first."""
    return answer[0] if isinstance(answer, (list, tuple)) else answer


def trained(bundle: ForeignBundle, records: list[dict[str, Any]], path: Path, *, seed: int) -> dict[str, Any]:
    """Weights that the bundle's own workflow makes; kept at `path`."""
    if not path.is_file():
        own = [record for record in records if not record.get("split")]
        held_out = [record for record in records if record.get("split")]
        training = OwnTraining(
            bundle,
            **{
                "records": own,
                "selection": held_out,
                "folder": common.WORK / "private" / bundle.name / path.stem,
                "seed": seed,
            },
            **{"epochs": None, "device": "cpu", "threads": 1},
        )
        training.run()
        torch.save(dict(training.chosen()), path)
    return torch.load(path, weights_only=True)


def content(folder: Path) -> str:
    """Digest of every byte in a folder."""
    found = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        found.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return found.hexdigest()


def asked(shape: Shape, models: Path) -> list[str]:
    """Two training patients, of one fold where it has such, whose annotators err to opposite sides: a model that draws
    everything too large does not recall them. In classification those whose label is wrong."""
    split = RecordedSplit.read(models / "split.json")
    assert split is not None
    known = {f"{patient:03d}" for patient in range(12)}
    if not shape.masks:
        known = {patient for patient in known if int(patient) % 4 == 3}
        return sorted(known)[:2]
    fold = {patient: split.fold[split.digest(patient)] for patient in sorted(known)}
    pairs = [(one, two) for one in fold for two in fold if int(one) % 2 < int(two) % 2]
    return list(min(pairs, key=lambda pair: (fold[pair[0]] != fold[pair[1]], pair)))


@pytest.mark.study
@pytest.mark.parametrize("name", SHAPES)
def test_a_bundle_forgets(name: str) -> None:
    shape, work = SHAPES[name], common.WORK / "foreign" / name
    folder = work / name
    if not folder.is_dir():
        write_bundle(work, shape)
    digest = ForeignFolder(folder).digest
    bundle = ForeignBundle(folder, trust=digest, dataset_dir=work / "data")
    records = Foreign(bundle=bundle, patient_from=PATTERN, dataset_dir=work / "data").records()
    teacher = trained(bundle, records, folder / "models" / "model.pt", seed=TEACHER_SEED)
    before = content(folder)
    own: dict[str, Any] = {
        **common.overlay("foreign"),
        **{"foreign": str(folder), "trust_foreign": digest, "dataset_dir": str(work / "data")},
        **{"patient_from": PATTERN, "model_dir": str(work / "models"), "reference_dir": str(work / "references")},
        **{"folds": FOLDS, "fold_members": MEMBERS, "device": "cpu"},
    }
    if not (work / "models" / "recipe.json").is_file():
        few = {"calibration_requests": 2, "mock_requests": 0}
        common.run("prepare", {**own, **few, "output_dir": str(work / "prepare")})
    request = work / "request.csv"
    patients = asked(shape, work / "models")
    rows = "".join(f"study,patient,{patient},2026-11-01,erasure_request\n" for patient in patients)
    request.write_text(f"request_id,level,id,requested_on,ground\n{rows}", encoding="utf-8")
    own |= {"request": str(request), "output_dir": str(work / "run")}
    without = [record for record in records if record["patient_id"] not in patients]
    twins = [trained(bundle, without, work / f"retrained{seed}.pt", seed=seed) for seed in TWINS]
    metrics = common.unlearn(work / "run", {**own, "surface": False, "attacks": []})
    forgotten = [record for record in records if record["patient_id"] in patients]
    student = torch.load(work / "run" / "release" / "student.pt", weights_only=True)
    slopes = {
        "teacher": recall(shape, bundle, forgotten, teacher),
        "student": recall(shape, bundle, forgotten, student),
        "retrained": [recall(shape, bundle, forgotten, twin) for twin in twins],
    }
    gap = slopes["teacher"] - float(np.mean(slopes["retrained"]))
    key = build_task(bundle.task).key_metric
    result = {
        "recall": slopes,
        "ff_true": (slopes["teacher"] - slopes["student"]) / gap,
        "gap": gap,
        key: {model: common.means(metrics, model, key) for model in ("teacher", "student")},
        "method": metrics["phases"].get("method"),
        "foreign_folder_unchanged": content(folder) == before,
        "task": bundle.task,
    }
    common.save(f"foreign/{name}", result)
    assert result["foreign_folder_unchanged"]
