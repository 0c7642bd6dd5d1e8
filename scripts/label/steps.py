"""Workflows that a client of MONAI Label starts by their run id, with the request that it filled in."""

from __future__ import annotations

import csv
import io
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts.chain import overrides, run_workflow
from scripts.errors import InputError, user_error
from scripts.files import atomic_path, write_text
from scripts.label.handed import FOLDER, TRAINED
from scripts.record.lock import unlock_folder
from scripts.request import read_request
from scripts.request.request import COLUMNS, REQUEST_ID
from scripts.settings.given import Settings

STUDENT = "label_student_{request_id}.pt"  # beside the bundle's own model, where Label lists it


class LabelSteps:
    """What MONAI Label's clients start by a run id, on the images of the server.

    Args:
        config_dir: folder of the workflow files.
        settings: of the training that Label would start: device, images, folders.
        fields: `request_id`, `level`, `ids` (divided by blanks, commas or semicolons), `requested_on`, `ground`.
    """

    def __init__(self, *, config_dir: str | Path, settings: Settings, fields: Mapping[str, Any]) -> None:
        self.config_dir, self.settings = Path(config_dir), settings
        self.fields = {name: str(value).strip() for name, value in fields.items()}
        self.models = Path(settings.model_dir)

    def trained(self) -> None:
        """Put a model that was trained on the server's images where Label's clients can choose it."""
        if self.models.name == FOLDER:
            self._offer(self.models / "model.pt", TRAINED)

    def run(self, step: str) -> None:
        """Run `prepare`, `forget` or `restore`; a student is put where Label's clients can choose it.

        Raises:
            InputError: the request is not complete, or not valid; the images are not a server's.
        """
        if self.models.name != FOLDER:
            raise InputError(
                f"{step}: configs/train.yaml runs it for MONAI Label alone; use configs/{step}.yaml on the command line"
            )
        try:
            self._run(step)
        except Exception as error:  # MONAI wraps what a workflow meets
            if (mendable := user_error(error)) is not None:
                # The server logs a traceback of a hundred lines; this one says what to do.
                print(f"error: {mendable}", file=sys.stderr, flush=True)
            raise

    def _run(self, step: str) -> None:
        own = overrides(self.settings, step)
        for name in ("folds", "epochs", "output_dir"):  # of a single training
            own.pop(name, None)
        evaluated = Path(self.settings.bundle_root) / "eval"
        if step == "prepare":
            self._workflow(step, own | {"output_dir": str(evaluated / "label_prepare")})
            return
        request = self._request()
        own |= {"request": str(request), "output_dir": str(evaluated / request.stem)}
        self._workflow(step, own)
        self._offer(Path(own["output_dir"]) / "release" / "student.pt", STUDENT.format(request_id=request.stem))

    def _workflow(self, step: str, settings: Mapping[str, Any]) -> None:
        try:
            run_workflow([str(self.config_dir / f"{step}.yaml")], overrides=settings)
        finally:
            # What is refused keeps its folder to the end of the process, and a server runs for days.
            unlock_folder(Path(settings["output_dir"]) / "private")

    def _offer(self, weights: Path, name: str) -> None:
        with atomic_path(self.models.parent / name) as target:
            shutil.copyfile(weights, target)

    def _request(self) -> Path:
        """The request as a file, among what is private to the models."""
        name = self.fields.get("request_id", "")
        missing = [field for field in ("request_id", "ids", "requested_on") if not self.fields.get(field)]
        if missing:
            raise InputError(f"MONAI Label: {missing[0]}: is empty; fill in {', '.join(missing)} of the request")
        if not REQUEST_ID.fullmatch(name):
            raise InputError(
                f"MONAI Label: request_id: '{name}' is no name; allowed are letters, digits, '.', '_', '-'"
            )
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(COLUMNS)
        for one in re.split(r"[\s,;]+", self.fields["ids"].strip(" ,;")):
            table.writerow([name, self.fields["level"], one, self.fields["requested_on"], self.fields["ground"]])
        # The same id with another content is refused where a run of it is there already.
        path = self.models / "private" / "requests" / f"{name}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.parent.parent.chmod(0o700)
        checked = path.with_name(f".{path.name}")
        try:
            write_text(checked, text.getvalue())
            read_request(checked)
            checked.replace(path)
        finally:
            checked.unlink(missing_ok=True)
        return path
