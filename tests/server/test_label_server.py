"""MONAI Label 0.8.5: inference, training on its own images, and a deletion request from a client. `make test-label`."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from monai.bundle import ConfigWorkflow
from PIL import Image
from scripts.identity.identity import file_digest
from tests.server.conftest import CLASSIFICATION, PATIENTS, SEGMENTATION, Server

pytestmark = pytest.mark.server
REQUEST = {"request_id": "erasure-7", "level": "patient", "requested_on": "2026-11-02", "ground": "erasure_request"}
BY_NAME = {"patient_from": "(p[0-9]+)_"}


def mask(answer: bytes) -> np.ndarray:
    """A mask in the body of an answer; it must be a PNG."""
    assert answer[:8] == b"\x89PNG\r\n\x1a\n"
    return np.asarray(Image.open(io.BytesIO(answer)))


def by_command(bundle: Path, image: Path, checkpoint: Path, output: Path) -> np.ndarray:
    """The mask that `run infer` writes for an image."""
    folder = output / "images"
    folder.mkdir(parents=True)
    (folder / image.name).write_bytes(image.read_bytes())
    own = {"dataset_dir": str(folder), "output_dir": str(output / "masks"), "checkpoint": str(checkpoint)}
    flow = ConfigWorkflow(
        config_file=str(bundle / "configs" / "inference.yaml"),
        workflow_type="inference",
        run_id="infer",
        logging_file=False,
        device="cpu",
        **own,
    )
    flow.initialize()
    flow.run()
    (written,) = (output / "masks").rglob("*.png")
    return np.asarray(Image.open(written))


def records(server: Server) -> Path:
    return server.app / "model" / SEGMENTATION / "models" / "label"


def test_what_clients_are_shown(server: Server) -> None:
    info = json.loads(server.ask("/info/"))
    assert {SEGMENTATION, CLASSIFICATION} <= set(info["models"])
    assert info["models"][SEGMENTATION]["type"] == "segmentation"
    assert info["models"][SEGMENTATION]["labels"] == {"structure": 1} and info["models"][SEGMENTATION]["dimension"] == 2
    assert info["models"][CLASSIFICATION]["type"] == "classification"
    fields = info["trainers"][SEGMENTATION]["config"]
    assert {"request_id", "level", "ids", "requested_on", "ground", "patient_from"} <= set(fields)


@pytest.mark.parametrize("name", ["p001_0", "p003_1"])
def test_a_mask_is_exactly_that_of_the_command(server: Server, tmp_path: Path, name: str) -> None:
    """Of a PNG and of a JPEG; by the server's own copy and by upload."""
    (image,) = server.studies.glob(f"{name}.*")
    bundle = server.app / "model" / SEGMENTATION
    own = by_command(bundle, image, bundle / "models" / "model.pt", tmp_path)
    for answer in (server.infer(SEGMENTATION, name), server.infer(SEGMENTATION, upload=image)):
        found = mask(answer)
        assert found.shape == own.shape and set(np.unique(found)) <= {0, 1} and found.any()
        assert np.array_equal(found > 0, own > 0)


def test_classes_come_with_their_probabilities(server: Server, tmp_path: Path) -> None:
    image = tmp_path / "lesion.jpg"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (90, 120, 3), dtype=np.uint8)).save(image)
    found = json.loads(server.infer(CLASSIFICATION, upload=image))["prediction"]
    assert [one["label"] for one in sorted(found, key=lambda one: one["idx"])] == [
        "melanoma",
        "nevus",
        "seborrheic keratosis",
    ]
    assert sum(one["score"] for one in found) == pytest.approx(1, abs=1e-3)


def test_a_model_is_trained_on_the_servers_images(server: Server) -> None:
    bundle = server.app / "model" / SEGMENTATION
    before = (bundle / "models" / "model.pt").read_bytes(), (bundle / "models" / "model.json").read_bytes()
    server.train("train", max_epochs=12, **BY_NAME)
    record = json.loads((records(server) / "model.json").read_text())
    assert record["data_set"] == "datalist" and record["training"]["epochs"] == 12
    listed = json.loads((records(server) / "private" / "datalist.json").read_text())["training"]
    assert {entry["patient_id"] for entry in listed} == {f"p{number:03d}" for number in range(PATIENTS)}
    assert ((bundle / "models" / "model.pt").read_bytes(), (bundle / "models" / "model.json").read_bytes()) == before
    assert mask(server.infer(SEGMENTATION, "p001_0", model_filename="label_model.pt")).shape == (64, 64)


def forgotten(server: Server) -> tuple[Path, dict[str, str]]:
    """The run of a client's request, after the training and the pool, and the request itself."""
    run = server.app / "model" / SEGMENTATION / "eval" / REQUEST["request_id"]
    if not (records(server) / "model.json").is_file():
        server.train("train", max_epochs=12, **BY_NAME)
    if not (records(server) / "model_fold0.pt").is_file():
        server.train("prepare", max_epochs=12, **BY_NAME)
    request = {**REQUEST, **BY_NAME, "ids": trained_patient(server)}
    if not (run / "private" / "state.json").is_file():
        server.train("forget", **request)
    return run, request


def test_a_request_of_a_client_is_carried_out(server: Server, tmp_path: Path) -> None:
    """After the training: the pool, the forgetting, the restoration, and inference with the student."""
    run, request = forgotten(server)
    asked = request["ids"]
    assert json.loads((records(server) / "split.json").read_text())
    found = json.loads((run / "private" / "resolution.json").read_text())
    assert found["patients"]["forget"] == [asked] and found["request"]["ground"] == "erasure_request"
    if json.loads((run / "private" / "state.json").read_text())["method"] == "erase_to_retain":
        server.train("restore", **request)
    student = server.app / "model" / SEGMENTATION / "models" / f"label_student_{REQUEST['request_id']}.pt"
    assert file_digest(student) == file_digest(run / "release" / "student.pt")
    answers = [
        mask(server.infer(SEGMENTATION, f"{asked}_0", model_filename=name.name))
        for name in (student, student.with_name("label_model.pt"))
    ]
    (image,) = server.studies.glob(f"{asked}_0.*")
    own = by_command(server.app / "model" / SEGMENTATION, image, student, tmp_path)
    assert np.array_equal(answers[0] > 0, own > 0) and not np.array_equal(answers[0], answers[1])


def test_the_run_goes_on_by_the_command_line_unless_its_split_was_drawn_again(server: Server, tmp_path: Path) -> None:
    """The commands of docs/LABEL.md, from the bundle's folder."""
    run, request = forgotten(server)
    bundle, models = server.app / "model" / SEGMENTATION, records(server)
    given = {
        "dataset_name": "datalist",
        "datalist": models / "private" / "datalist.json",
        "dataset_dir": server.studies,
        "model_dir": models,
        "request": models / "private" / "requests" / f"{request['request_id']}.csv",
        "output_dir": run,
        "device": "cpu",
    }

    def command(name: str, **other: Any) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-m", "monai.bundle", "run", name, "--config_file", f"configs/{name}.yaml"]
        line += [word for key, value in {**given, **other}.items() for word in (f"--{key}", str(value))]
        return subprocess.run(line, cwd=bundle, capture_output=True, text=True, timeout=600)

    done = command("evaluate")
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads((run / "release" / "metrics.json").read_text())["student"]
    # The same images and the same model, but patients in other sets than those of its training.
    again = shutil.copytree(models, tmp_path / "models")
    (again / "split.json").unlink()
    for name in ("evaluate", "references"):
        refused = command(name, model_dir=again, validation_share=0.4)
        assert refused.returncode == 2 and "Traceback" not in refused.stderr, refused.stderr[-3000:]
        assert f"{again / 'model.pt'}: was trained on patient" in refused.stderr.strip().splitlines()[-1]


def trained_patient(server: Server) -> str:
    """A patient of the training set, as `evaluate` would say; the record holds salted digests alone."""
    from scripts.cohort.membership import Membership

    held = Membership.read(records(server) / "model.pt")
    assert held is not None
    return next(name for name in (f"p{number:03d}" for number in range(PATIENTS)) if held.saw(name))


def test_a_mistake_of_a_client_is_one_line_in_the_log(server: Server) -> None:
    with pytest.raises(AssertionError, match="500"):
        server.train("forget", **{**REQUEST, **BY_NAME, "request_id": "erasure-8", "ids": "nobody"})
    lines = [line for line in server.log.read_text(errors="replace").splitlines() if line.startswith("error: ")]
    assert re.search("'nobody'", lines[-1])
