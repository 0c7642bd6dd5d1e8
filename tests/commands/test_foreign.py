"""Somebody else's bundle by config alone: from its own training to a bundle with a version of its own."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from monai.bundle import ckpt_export, verify_metadata, verify_net_in_out
from scripts.cohort.model_record import ModelRecord
from scripts.foreign.bundle import ForeignBundle
from scripts.foreign.folder import ForeignFolder
from scripts.record.keys import HospitalKeys
from scripts.settings.config_file import read_config
from tests.commands.common import ROOT, refusal, request_file, run
from tests.foreign.bundles import SHAPES, write_bundle

NAME = "spleen_like_ct_segmentation"
PATTERN = r"case_(\d+)_"


def content(folder: Path) -> str:
    found = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        found.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return found.hexdigest()


def record_of(path: Path) -> ModelRecord:
    found = ModelRecord.read(path)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Settings for a bundle with weights that nobody trained."""
    work = tmp_path_factory.mktemp("foreign")
    folder = write_bundle(work, SHAPES[NAME], trained=4, held_out=3, epochs=1)
    digest = ForeignFolder(folder).digest
    network = ForeignBundle(folder, trust=digest, dataset_dir=work / "data").network()
    torch.save({"model": network.state_dict()}, folder / "models" / "model.pt")
    (folder / "models" / "model_fold0.pt").write_bytes(b"knows everybody")
    overlay = {
        name: value for name, value in read_config(ROOT / "configs" / "foreign.yaml").items() if name != "select"
    }
    return {
        **overlay,
        **{"foreign": str(folder), "trust_foreign": digest, "dataset_dir": str(work / "data")},
        **{"patient_from": PATTERN, "model_dir": str(work / "models"), "device": "cpu", "threads": 1},
    }


@pytest.mark.slow
def test_from_a_bundle_to_a_bundle(given: dict[str, Any], tmp_path: Path) -> None:
    folder, models = Path(given["foreign"]), Path(given["model_dir"])
    before = content(folder)
    for fold in (0, 1):
        own = {**given, "folds": 2, "fold": fold, "select": "last", "output_dir": str(tmp_path / f"fold{fold}")}
        run("train", {**own, "progress": False}, run_id="single")
    # A structure against background by softmax: settings that the bundle says, and the config refers to.
    assert record_of(models / "model_fold0.pt").training["task"] == "multiclass_segmentation"
    request = request_file(tmp_path / "request.csv", ["001"])
    about = {**given, "request": str(request), "output_dir": str(tmp_path / "run"), "progress": False}
    few = {"max_rounds": 1, "min_rounds": 1, "steps_per_round": 2, "forget_batch": 2, "retain_batch": 2}
    run("forget", {**about, **few, "lora_rank": 2, "method": "erase_to_retain"})
    evaluated = {name: value for name, value in about.items() if name != "cached_views"}
    run("restore", {**about, "restore_epochs": 1, "restore_steps": 1, "restore_batch": 2})
    run("evaluate", {**evaluated, "overlays": 1, "attacks": ["fine_tuned_20"], "surface": True})
    record = record_of(models / "model.pt")
    assert record.training["stated"] is True
    assert record.membership is not None
    assert record.membership.saw("001")
    assert not record.membership.saw("005")
    member = record_of(models / "model_fold0.pt")
    assert member.membership is not None
    assert 0 < len(member.membership.patients) < 4

    HospitalKeys.create(tmp_path / "keys")
    committed = {"model_dir": str(models), "request": str(request), "output_dir": str(tmp_path / "run")}
    exporting = {**committed, **{name: given[name] for name in ("foreign", "trust_foreign")}}
    del exporting["model_dir"]
    assert "is not committed" in str(refusal("export", exporting))
    run("commit", {**committed, "key_dir": str(tmp_path / "keys"), "override_reason": "a test of the export"})
    run("export", exporting)
    assert content(folder) == before
    made = tmp_path / "run" / "export" / NAME
    _same_tools(made, folder, tmp_path)
    about_it = json.loads((made / "configs" / "metadata.json").read_text(encoding="utf-8"))
    assert about_it["version"] == "0.3.2"
    assert list(about_it["changelog"]) == ["0.3.2", "0.3.1"]
    assert "001" not in json.dumps(about_it)
    assert sorted(path.name for path in (made / "models").iterdir()) == ["lineage.jsonl", "model.pt"]
    student = torch.load(tmp_path / "run" / "release" / "student.pt", weights_only=True)
    exported = torch.load(made / "models" / "model.pt", weights_only=True)["model"]
    assert all(torch.equal(value, exported[name]) for name, value in student.items())


def _same_tools(made: Path, folder: Path, tmp_path: Path) -> None:
    """MONAI's own checks pass for the new bundle, and it runs where the old one ran."""
    schema = tmp_path / "schema.json"
    shutil.copy(ROOT / "bundle" / "meta_schema_20240725.json", schema)
    configs = made / "configs"
    verify_metadata(meta_file=str(configs / "metadata.json"), filepath=str(schema))
    files = {"meta_file": str(configs / "metadata.json"), "config_file": str(configs / "inference.json")}
    verify_net_in_out(net_id="network_def", device="cpu", **files)
    script, weights = tmp_path / "model.ts", made / "models" / "model.pt"
    ckpt_export(net_id="network_def", filepath=str(script), ckpt_file=str(weights), key_in_ckpt="model", **files)
    assert script.is_file()
    for bundle in (folder, made):
        found = ForeignBundle(bundle, trust=ForeignFolder(bundle).digest, dataset_dir=folder.parent / "data")
        evaluator = found.part("evaluator", config="inference")
        evaluator.run()
        assert evaluator.state.iteration == 14
        shutil.rmtree(bundle / "eval")


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"trust_foreign": ""}, "holds code that would run: configs/inference.json: imports::0"),
        ({"trust_foreign": "sha256:0"}, "is not the digest of"),
        ({"foreign": ""}, "give both for somebody else's bundle"),
        ({"foreign": "none"}, "no such folder"),
        ({"patient_from": ""}, "give patient_from"),
    ],
)
def test_what_is_refused_before_anything_is_written(
    given: dict[str, Any], changed: Any, reason: str, tmp_path: Path
) -> None:
    own = {**given, "model_dir": str(tmp_path / "models"), "output_dir": str(tmp_path / "run"), "request": "none.csv"}
    assert reason in str(refusal("forget", {**own, **changed}))
    assert not list(tmp_path.iterdir())


def test_a_folder_inside_the_bundle_is_refused(given: dict[str, Any]) -> None:
    inside = str(Path(given["foreign"]) / "models")
    found = refusal("forget", {**given, "model_dir": inside, "request": "none.csv"})
    assert "lies in the foreign bundle" in str(found)
