"""A real MONAI Label server on loopback, with two bundles and the images of a few synthetic patients."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from bundle.build import build
from bundle.label import APP, install
from bundle.tasks import TASKS
from PIL import Image
from scripts.data.phantom import Phantom

SEGMENTATION, CLASSIFICATION = "phantom_unlearning_segmentation", TASKS["dermoscopy_classification"].name
PATIENTS, START, ANSWER = 16, 180, 3600
# A pool and a recipe within minutes: what a hospital changes in the files as well, to other values.
SHORT = {
    "prepare": {"folds": 2, "fold_members": 1, "calibration_requests": 1, "mock_requests": 0, "epochs": 12},
    "train": {"epochs": 12, "network_name": "unet_half"},
}


@dataclass(frozen=True)
class Server:
    """A running server.

    Attributes:
        app: the folder of Label's app; `studies` that of the images.
        log: what the server said.
    """

    address: str
    app: Path
    studies: Path
    log: Path

    def ask(self, path: str, *, method: str = "GET", body: bytes | None = None, kind: str = "") -> bytes:
        """The answer's body; an HTTP error shows what the server said."""
        request = urllib.request.Request(f"{self.address}{path}", data=body, method=method)
        if kind:
            request.add_header("Content-Type", kind)
        try:
            with urllib.request.urlopen(request, timeout=ANSWER) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            said = self.log.read_text(errors="replace")[-6000:]
            raise AssertionError(f"{method} {path}: {error.code} {error.read()[:300]!r}\n{said}") from error

    def infer(self, model: str, image: str = "", *, upload: Path | None = None, **params: Any) -> bytes:
        """The answer of a model for an image of the server, or for an uploaded one."""
        fields: dict[str, str | Path] = {"params": json.dumps({"device": "cpu", **params})}
        if upload is not None:
            fields["file"] = upload
        body, kind = multipart(fields)
        place = f"image={urllib.parse.quote(image)}&" if image else ""
        output = "json" if model == CLASSIFICATION else "image"
        return self.ask(f"/infer/{model}?{place}output={output}", method="POST", body=body, kind=kind)

    def train(self, run_id: str, **fields: Any) -> None:
        """A training, or what else the model's `train.json` runs, to its end."""
        shown = json.loads(self.ask("/info/"))["trainers"][SEGMENTATION]["config"]
        own = {name: value for name, value in shown.items() if not isinstance(value, list)}
        body = {**own, "device": "cpu", "multi_gpu": False, "val_split": 0.25, "run_id": run_id, **fields}
        line = f"/train/{SEGMENTATION}?run_sync=true"
        self.ask(line, method="POST", body=json.dumps(body).encode(), kind="application/json")


def multipart(fields: Mapping[str, str | Path]) -> tuple[bytes, str]:
    """The fields as a form with files."""
    boundary, body = uuid.uuid4().hex, b""
    for name, value in fields.items():
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"'
        if isinstance(value, Path):
            head += f'; filename="{value.name}"\r\nContent-Type: application/octet-stream'
        content = value.read_bytes() if isinstance(value, Path) else value.encode()
        body += head.encode() + b"\r\n\r\n" + content + b"\r\n"
    return body + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def write_studies(folder: Path) -> None:
    """Images of the phantom's training patients, two views each, and their masks where Label keeps them."""
    source, views = Phantom(), dict[str, int]()
    load = source.loading()
    labels = folder / "labels" / "final"
    labels.mkdir(parents=True)
    for record in sorted(source.records(), key=lambda one: str(one["image_id"])):
        patient = str(record["patient_id"])
        view = views.setdefault(patient, 0)
        if int(patient[1:]) >= PATIENTS or view == 2:
            continue
        views[patient] += 1
        item: Any = dict(record)
        for step in load:
            item = step(item)
        name = f"{patient}_{view}"
        # Every third one as a JPEG, as cameras write them.
        suffix = ".jpg" if int(patient[1:]) % 3 == 0 else ".png"
        Image.fromarray((np.asarray(item["image"][0]) * 255).astype(np.uint8)).save(folder / f"{name}{suffix}")
        Image.fromarray(np.asarray(item["label"][0]).astype(np.uint8)).save(labels / f"{name}.png")


@pytest.fixture(scope="session")
def bundles(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The repository's own bundle with short settings, and one for classification with random weights."""
    root = tmp_path_factory.mktemp("bundles")
    own = root / SEGMENTATION
    for part in ("configs", "scripts", "docs"):
        shutil.copytree(repository / part, own / part, ignore=shutil.ignore_patterns("__pycache__"))
    (own / "models").mkdir()
    for name in ("model.pt", "model.json", "split.json"):
        shutil.copy(repository / "models" / name, own / "models" / name)
    shutil.copy(repository / "LICENSE", own / "LICENSE")
    for workflow, values in SHORT.items():
        path = own / "configs" / f"{workflow}.yaml"
        lines = path.read_text(encoding="utf-8").splitlines()
        known = set(yaml.safe_load(path.read_text(encoding="utf-8"))) & set(values)
        text = [
            f"{line.split(':')[0]}: {values[line.split(':')[0]]}" if line.split(":")[0] in known else line
            for line in lines
        ]
        path.write_text("\n".join(text) + "\n", encoding="utf-8")
    built = build(TASKS["dermoscopy_classification"], output=root, untrained=True).folder
    return [own, built]


@pytest.fixture(scope="session")
def server(repository: Path, bundles: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Installed as the manual says, into build/label; torchvision is left out where it cannot be had."""
    app = repository / "build" / "label"
    shutil.rmtree(app / APP, ignore_errors=True)
    script = install(app, bundles, vision=os.environ.get("LABEL_TORCHVISION", "") == "yes")
    root = tmp_path_factory.mktemp("server")
    write_studies(root / "studies")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = root / "server.log"
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HOME": str(root)}
    with log.open("wb") as said:
        line = ["sh", str(script), str(root / "studies"), "--port", str(port)]
        process = subprocess.Popen(line, stdout=said, stderr=said, env=environment, cwd=root, start_new_session=True)
    found = Server(f"http://127.0.0.1:{port}", app / APP, root / "studies", log)
    try:
        end = time.monotonic() + START
        while True:
            try:
                found.ask("/info/")
                break
            except (AssertionError, OSError):
                assert process.poll() is None and time.monotonic() < end, log.read_text(errors="replace")[-6000:]
                time.sleep(1)
        yield found
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)
