"""A training as MONAI Label starts it: its lists, number of epochs, device and loader, put over train.yaml."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import monai.bundle
import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from PIL import Image
from scripts.data.phantom import Phantom
from scripts.errors import user_error
from scripts.label import steps
from scripts.label.handed import TRAINED

PATIENTS, EDGE = 12, 32
BY_NAME = {"patient_from": "(p[0-9]+)_"}


@pytest.fixture(scope="module")
def server(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, str]]]:
    """A bundle with a model of its own, and the images of a Label server: two of each patient."""
    root = tmp_path_factory.mktemp("label")
    bundle = root / "bundle"
    for part in ("configs", "scripts"):
        shutil.copytree(repository / part, bundle / part, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("model.pt", "model.json", "split.json"):
        (bundle / "models").mkdir(exist_ok=True)
        shutil.copy(repository / "models" / file, bundle / "models" / file)
    source = Phantom()
    load = source.loading()
    (root / "studies" / "labels" / "final").mkdir(parents=True)
    listed = []
    for record in sorted(source.records(), key=lambda one: one["image_id"]):
        number = int(record["patient_id"][1:])
        view = sum(f"/p{number:03d}_" in one["image"] for one in listed)
        if number >= PATIENTS or view == 2:
            continue
        item: Any = dict(record)
        for step in load:
            item = step(item)
        image, label = root / "studies" / f"p{number:03d}_{view}.png", root / "studies" / "labels" / "final"
        label = label / image.name
        Image.fromarray((np.asarray(item["image"][0]) * 255).astype(np.uint8)).save(image)
        Image.fromarray(np.asarray(item["label"][0]).astype(np.uint8)).save(label)
        listed.append({"image": str(image), "label": str(label)})
    assert len(listed) == 2 * PATIENTS
    return bundle, listed


def by_label(bundle: Path, listed: list[dict[str, str]], run_id: str, fields: Mapping[str, str], **own: Any) -> None:
    """The calls of `monailabel.tasks.train.bundle.BundleTrainTask` (0.8.5), with one process."""
    config_file = str(bundle / "configs" / "train.yaml")
    config = ConfigParser()
    config.read_config(config_file)
    config.config.update({"bundle_root": str(bundle)})
    handlers = config.get("train#handlers", [])
    assert not [one for one in handlers if one.get("_target_") == "CheckpointLoader"]
    loader = {"load_path": str(bundle / "models" / "model.pt"), "load_dict": {"model": "$@network"}, "strict": False}
    handlers.insert(0, {"_target_": "CheckpointLoader", **loader})
    shown = config.get_parsed_content("displayable_configs", instantiate=True)
    cut = len(listed) * 2 // 3
    overrides = {
        "bundle_root": str(bundle),
        "train#trainer#max_epochs": 1,
        "train#dataset#data": listed[:cut],
        "device": torch.device("cpu"),
        "train#handlers": handlers,
        "displayable_configs": {name: fields.get(name, value) for name, value in shown.items()},
        "validate#dataset#data": listed[cut:],
    }
    meta = str(bundle / "configs" / "metadata.json")
    given = {"image_size": EDGE, "progress": False, **own}
    monai.bundle.run(
        run_id=run_id, init_id=None, final_id=None, meta_file=meta, config_file=config_file, **overrides, **given
    )


@pytest.mark.slow
@pytest.mark.parametrize("run_id", ["train", "run"])
def test_a_training_on_the_servers_images(
    server: tuple[Path, list[dict[str, str]]], tmp_path: Path, run_id: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle, listed = server
    before = {path.name: path.read_bytes() for path in (bundle / "models").iterdir() if path.is_file()}
    by_label(bundle, listed, run_id, BY_NAME)
    models = bundle / "models" / "label"
    record = json.loads((models / "model.json").read_text())
    # It says what it was trained on: these images, by a split of its own, and for as long as the client said.
    assert record["data_set"] == "datalist" and record["training"]["epochs"] == 1
    assert record["training"]["image_size"] == EDGE
    split = json.loads((models / "split.json").read_text())
    assert split != json.loads((bundle / "models" / "split.json").read_text())
    written = json.loads((models / "private" / "datalist.json").read_text())["training"]
    assert {entry["patient_id"] for entry in written} == {f"p{number:03d}" for number in range(PATIENTS)}
    assert len(written) == len(listed) and (models / "private").stat().st_mode & 0o777 == 0o700
    # Afresh, and not from the bundle's own model, which Label would have loaded.
    assert "training starts afresh" in "".join(capsys.readouterr())
    made = torch.load(bundle / "models" / TRAINED, weights_only=True)
    assert all(
        torch.equal(made[name], value) for name, value in torch.load(models / "model.pt", weights_only=True).items()
    )
    # That one stays with its records.
    after = {path.name: path.read_bytes() for path in (bundle / "models").iterdir() if path.is_file()}
    assert {name: after[name] for name in before} == before


def test_an_empty_server_is_said(server: tuple[Path, list[dict[str, str]]]) -> None:
    with pytest.raises(Exception) as caught:
        by_label(server[0], [], "train", BY_NAME)
    assert "MONAI Label: the server has no labelled image" in str(user_error(caught.value))


def refusal(server: tuple[Path, list[dict[str, str]]], run_id: str, fields: Mapping[str, str]) -> str:
    with pytest.raises(Exception) as caught:
        by_label(*server, run_id, fields)
    found = user_error(caught.value)
    assert found is not None, repr(caught.value)
    return str(found)


REQUEST = {**BY_NAME, "request_id": "erasure-1", "ids": "p002, p004", "requested_on": "2026-11-01"}


def test_a_request_reaches_the_workflow(
    server: tuple[Path, list[dict[str, str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle, listed = server
    given: dict[str, Any] = {}

    def started(files: list[str], *, overrides: Mapping[str, Any]) -> None:
        given[Path(files[0]).name] = dict(overrides)
        student = Path(overrides["output_dir"]) / "release" / "student.pt"
        student.parent.mkdir(parents=True, exist_ok=True)
        student.write_bytes(b"weights")

    monkeypatch.setattr(steps, "run_workflow", started)
    for name in ("prepare", "forget", "restore"):
        by_label(bundle, listed, name, REQUEST)
    assert list(given) == ["prepare.yaml", "forget.yaml", "restore.yaml"]
    common = {"dataset_name": "datalist", "device": "cpu", "image_size": EDGE, "bundle_root": str(bundle)}
    for own in given.values():
        assert common.items() <= own.items() and not {"epochs", "folds"} & set(own)
        assert own["model_dir"] == str(bundle / "models" / "label")
    rows = Path(given["forget.yaml"]["request"]).read_text().splitlines()
    assert rows[1:] == [f"erasure-1,patient,{one},2026-11-01,erasure_request" for one in ("p002", "p004")]
    assert given["restore.yaml"]["request"] == given["forget.yaml"]["request"]
    assert (bundle / "models" / "label_student_erasure-1.pt").read_bytes() == b"weights"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"ids": ""}, "MONAI Label: ids: is empty; fill in ids of the request"),
        ({"request_id": "../elsewhere"}, "MONAI Label: request_id: '../elsewhere' is no name"),
        ({"requested_on": "yesterday"}, "'yesterday'"),
        ({"ground": "mood"}, "'mood'"),
        ({"patient_from": "(q[0-9]+)"}, "patient_from: '(q[0-9]+)' finds no patient in 'p000_0.png'"),
    ],
)
def test_what_is_no_request_is_refused(
    server: tuple[Path, list[dict[str, str]]], capsys: pytest.CaptureFixture[str], changed: dict[str, str], said: str
) -> None:
    bundle = server[0]
    before = sorted((bundle / "models").rglob("*.csv"))
    assert said in refusal(server, "forget", {**REQUEST, **changed})
    if "patient_from" not in changed:
        assert capsys.readouterr().err.startswith("error: ")
    assert sorted((bundle / "models").rglob("*.csv")) == before


def test_the_command_line_has_a_file_of_its_own_for_them(repository: Path, tmp_path: Path) -> None:
    with pytest.raises(Exception) as caught:
        monai.bundle.run(run_id="forget", config_file=str(repository / "configs" / "train.yaml"), logging_file=False)
    assert "use configs/forget.yaml on the command line" in str(user_error(caught.value))
