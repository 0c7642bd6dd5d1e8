"""Six bundles of others, each through `prepare`, `unlearn`, `references`, `verify`, `commit`, `export` by config alone.

make study STUDY=foreign
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.bundle import ckpt_export, verify_metadata, verify_net_in_out
from scripts.chain import run_workflow
from scripts.cohort.split_file import RecordedSplit
from scripts.foreign.bundle import ForeignBundle
from scripts.foreign.folder import ForeignFolder
from scripts.foreign.package import foreign_imports
from scripts.foreign.records import Foreign
from scripts.foreign.training import OwnTraining
from scripts.foreign.transforms import foreign_preparation
from scripts.record.keys import HospitalKeys
from scripts.settings.workflows import accepted
from scripts.tasks import build_task
from tests.foreign.bundles import SHAPES, Shape, bias, size_of, write_bundle
from tests.studies import common

PATTERN = r"case_(\d+)_"
FOLDS, MEMBERS, TEACHER_SEED, TWINS, PAIRS = 4, 2, 899, (899, 901, 902), 4


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
            records=own,
            selection=held_out,
            folder=common.WORK / "private" / bundle.name / path.stem,
            seed=seed,
            epochs=None,
            device="cpu",
            threads=1,
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


def settings_of(name: str) -> dict[str, Any]:
    """What every command is given."""
    work = common.WORK / "foreign" / name
    return {
        **common.overlay("foreign"),
        **{"foreign": str(work / name), "trust_foreign": ForeignFolder(work / name).digest},
        **{"dataset_dir": str(work / "data"), "patient_from": PATTERN, "model_dir": str(work / "models")},
        **{"reference_dir": str(work / "references"), "folds": FOLDS, "fold_members": MEMBERS, "device": "cpu"},
    }


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
    own = settings_of(name)
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


@pytest.mark.study
@pytest.mark.parametrize("name", SHAPES)
def test_it_is_judged_and_comes_back_as_a_bundle(name: str, tmp_path: Path) -> None:
    """After `test_a_bundle_forgets`: four pairs, the verdict, the commit whatever it says, and MONAI's own checks."""
    work = common.WORK / "foreign" / name
    folder, own = work / name, settings_of(name)
    before = content(folder)
    of_run = {"request": str(work / "request.csv"), "output_dir": str(work / "run")}
    state = work / "run" / "private" / "state.json"
    if common.read(state)["state"] != "committed":
        paired = {**own, **of_run, "reference_pairs": PAIRS, "recovery": ["int8"], "overlays": 0}
        # With what its steps are given too, as an overlay gives it.
        steps = {key: value for key, value in paired.items() if key in accepted("references")}
        base = {"bundle_root": str(common.ROOT), "progress": False, "threads": 1}
        run_workflow([str(common.ROOT / "configs" / "references.yaml")], overrides={**base, **steps})
        with contextlib.suppress(SystemExit):  # its exit code says the verdict
            common.run("verify", {**own, **of_run, "evidence": "paired"})
        HospitalKeys.create(work / "keys")
        reason = {"key_dir": str(work / "keys"), "override_reason": "study of the export, whatever the verdict"}
        common.run("commit", {"model_dir": own["model_dir"], **of_run, **reason})
    common.run("export", {**of_run, **{key: own[key] for key in ("foreign", "trust_foreign")}})
    made = work / "run" / "export" / name
    result = {
        "verdict": common.read(work / "run" / "release" / "verdict.json")["outcome"],
        "version": common.read(made / "configs" / "metadata.json")["version"],
        "old": checks(folder, work / "data", tmp_path),
        "new": checks(made, work / "data", tmp_path),
        "foreign_folder_unchanged": content(folder) == before,
    }
    common.save(f"foreign_bundles/{name}", result)
    assert result["new"] == result["old"]
    assert result["foreign_folder_unchanged"]


def checks(bundle: Path, data: Path, scratch: Path) -> dict[str, Any]:
    """Which of MONAI's checks a bundle passes, and through how many images its inference goes."""
    configs = bundle / "configs"
    shutil.copy(common.ROOT / "bundle" / "meta_schema_20240725.json", scratch / "schema.json")
    meta, config = str(configs / "metadata.json"), str(configs / "inference.json")
    exported = {"filepath": str(scratch / "model.ts"), "ckpt_file": str(bundle / "models" / "model.pt")}
    found: dict[str, Any] = {}
    with foreign_imports(bundle):
        found["verify_metadata"] = passes(verify_metadata, meta_file=meta, filepath=str(scratch / "schema.json"))
        about = {"net_id": "network_def", "meta_file": meta, "config_file": config}
        found["verify_net_in_out"] = passes(verify_net_in_out, device="cpu", **about)
        found["ckpt_export"] = passes(ckpt_export, **about, **exported)
    own = ForeignBundle(bundle, trust=ForeignFolder(bundle).digest, dataset_dir=data)
    evaluator = own.part("evaluator", config="inference")
    evaluator.run()
    shutil.rmtree(bundle / "eval", ignore_errors=True)
    return {**found, "images": evaluator.state.iteration}


def passes(check: Callable[..., Any], **settings: Any) -> bool:
    """Whether one of MONAI's checks ends without an error by which they say no; TorchScript's are RuntimeErrors."""
    try:
        check(**settings)
    except (AssertionError, RuntimeError, ValueError) as error:
        print(f"{check.__name__}: {error}")
        return False
    return True
