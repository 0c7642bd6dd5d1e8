"""`run export` of a foreign bundle: a new bundle folder with the committed weights, a version of its own, and why."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import torch
from scripts.errors import InputError
from scripts.files import atomic_path, write_bytes, write_tensors
from scripts.foreign.bundle import ForeignBundle
from scripts.foreign.folder import is_weights, read_plain
from scripts.record.lineage import FILE_NAME as LINEAGE
from scripts.record.run_folder import RunFolder
from scripts.release.export import committed_certificate
from scripts.student.teacher import load_teacher

NOTE = "unlearning"  # key of the note in metadata.json
LEFT_OUT = (".git", "__pycache__", "eval")


class BundleExport:
    """Writes `export/<name of the bundle>`; the foreign folder is read, and nothing else.

    Of weights only `models/model.pt` is in it: other forms of the old model, and models of folds, know the patient.

    Args:
        folder: of a committed run.

    Raises:
        Refused: the run is not committed, or the student is not what its certificate is about.
    """

    def __init__(self, *, folder: RunFolder, bundle: ForeignBundle) -> None:
        self.certificate = committed_certificate(folder)
        self.folder, self.bundle = folder, bundle

    def run(self) -> None:
        """Write the bundle, the weights last: a folder without them is not finished.

        Raises:
            InputError: something that is not of this export is in its place.
        """
        own = self.bundle.folder
        target = Path(self.folder.root) / "export" / self.bundle.name
        if target.exists() and not (target / "configs").is_dir():
            raise InputError(f"output_dir: {target} is in the way of the new bundle; move it elsewhere")
        shutil.rmtree(target, ignore_errors=True)
        left_out = []
        for path in own.files():
            name = path.relative_to(own.root)
            if is_weights(name):
                left_out += [name.as_posix()] if path != own.checkpoint else []
            elif not set(name.parts) & set(LEFT_OUT):
                write_bytes(_made(target / name), path.read_bytes())
        version = self._describe(target / "configs" / "metadata.json")
        write_bytes(_made(target / "models" / LINEAGE), (self.folder.release / LINEAGE).read_bytes())
        write_bytes(
            _made(target / "docs" / "certificate.json"), (self.folder.release / "certificate.json").read_bytes()
        )
        self._write_weights(target / "models" / "model.pt")
        print(f"exported: {target}, version {version} of {self.bundle.name}")
        if left_out:
            print(f"not in it, because they know what was forgotten: {', '.join(left_out)}")

    def _write_weights(self, path: Path) -> None:
        """The student in the form in which the bundle had its weights: plain, or under `model`."""
        network = load_teacher(self.bundle.network(), self.folder.student)
        state: Any = dict(network.state_dict())
        before = torch.load(self.bundle.folder.checkpoint, map_location="cpu", weights_only=True)
        if isinstance(before, Mapping) and isinstance(before.get("model"), Mapping):
            state = {"model": state}
        write_tensors(path, state)

    def _describe(self, path: Path) -> str:
        """The next version, with its entry in the changelog and a note; the version."""
        content = read_plain(self.bundle.folder.metadata)
        version = bumped(str(content["version"]))
        method, verdict = self._method(), str(self.certificate.get("verdict", ""))
        note = f"weights unlearned on {date.today().isoformat()}: {method}, verdict {verdict}; docs/certificate.json"
        log = content.get("changelog")
        content |= {"version": version, "changelog": {version: note, **(log if isinstance(log, Mapping) else {})}}
        content[NOTE] = note
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps(content, indent=4, ensure_ascii=False) + "\n", encoding="utf-8")
        return version

    def _method(self) -> str:
        last = (self.folder.release / LINEAGE).read_text(encoding="utf-8").splitlines()[-1]
        return str(json.loads(last)["method"])


def bumped(version: str) -> str:
    """The next version: its last number and one; `0.3.1` -> `0.3.2`.

    Raises:
        InputError: there is no number in it.
    """
    found = re.fullmatch(r"(.*?)(\d+)([^\d]*)", version)
    if found is None:
        raise InputError(f"metadata.json: version '{version}' holds no number that could be raised")
    return f"{found[1]}{int(found[2]) + 1}{found[3]}"


def _made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
