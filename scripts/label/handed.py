"""What MONAI Label puts into the config of a training, and the settings that it comes to.

Label knows the ids of a Zoo bundle and nothing of settings: it replaces `train::dataset::data` by a list of image and
label files, `train::trainer::max_epochs` by a number, `device` by torch's object, and adds a loader of weights.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from scripts import processes
from scripts.data.ids import checked_id
from scripts.data.patients import patients_of
from scripts.errors import InputError
from scripts.files import write_json
from scripts.settings.command_line import CommandLine
from scripts.settings.parts import own_content
from scripts.settings.running import Running

DATA, HELD_OUT, EPOCHS = (
    ("train", "dataset", "data"),
    ("validate", "dataset", "data"),
    ("train", "trainer", "max_epochs"),
)
FIELDS = "displayable_configs"
LOADER = "CheckpointLoader"
FOLDER = "label"  # in the folder of the models: those of the server's images, and who was trained on
TRAINED = "label_model.pt"  # beside the bundle's own model, where Label lists it


@dataclass(frozen=True)
class Handed:
    """The images of a Label server.

    Attributes:
        records: image and label file of each, as Label lists them.
        epochs: of a training.
        fields: what the client filled in.
    """

    records: tuple[Mapping[str, Any], ...]
    epochs: int
    fields: Mapping[str, Any]

    def settings(self, *, model_dir: str | Path, bundle_root: str | Path) -> dict[str, Any]:
        """The settings of a training on these images, whose datalist is written beside its models.

        The bundle's own model, with its records, stays. Label divides its images into two lists, not its patients: the
        split is drawn here, and recorded.

        Raises:
            InputError: a record without image or label, or whose patient is not known.
        """
        if not self.records:
            raise InputError("MONAI Label: the server has no labelled image; label some and submit them first")
        files = [str(_file(record, key)) for record in self.records for key in ("image", "label")]
        folder = Path(os.path.commonpath([os.path.dirname(file) for file in files]))
        patient_of = patients_of(str(self.fields.get("patient_from") or r"([^/]+?)(?:\.nii)?\.\w+$"))
        entries = []
        for number, record in enumerate(self.records):
            name, where = Path(_file(record, "image")).relative_to(folder).as_posix(), f"MONAI Label: image {number}"
            patient = checked_id(patient_of(name, None, where), key="patient_id", where=where)
            label = Path(_file(record, "label")).relative_to(folder).as_posix()
            entries.append({"image": name, "label": label, "patient_id": patient})
        models = Path(model_dir) / FOLDER
        path = models / "private" / "datalist.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.parent.chmod(0o700)
        write_json(path, {"training": sorted(entries, key=lambda entry: entry["image"])})
        return {
            **{"dataset_name": "datalist", "datalist": str(path), "dataset_dir": str(folder), "folds": 0},
            **{"model_dir": str(models), "model_name": "model.pt", "overwrite": True},
            **{"output_dir": str(Path(bundle_root) / "eval" / "label_training"), "epochs": self.epochs},
        }


def _file(record: Mapping[str, Any], key: str) -> str:
    file = record.get(key)
    if not isinstance(file, str) or not os.path.isabs(file):
        raise InputError(f"MONAI Label: '{file}' is no {key} file; its absolute path is needed")
    return file


def taken_from_label(run: Running) -> tuple[Running, Handed | None]:
    """The config as it would be without what Label put into it, and that; None where Label did not start it."""
    listed, epochs = _at(run.config, DATA), _at(run.config, EPOCHS)
    # Records of this bundle, which a program may put there too, have ids.
    plain = isinstance(listed, list) and not any(isinstance(one, Mapping) and "image_id" in one for one in listed)
    if not plain or not isinstance(epochs, int):
        return run, None
    own = own_content("train", CommandLine())
    held_out = _at(run.config, HELD_OUT)
    handed = Handed(
        records=(*listed, *(held_out if isinstance(held_out, list) else ())),
        epochs=epochs,
        fields=run.config.get(FIELDS) or {},
    )
    for name in (DATA, HELD_OUT, EPOCHS):
        run.replace("::".join(name), _at(own, name))
    loaders = [handler for handler in run.config["train"]["handlers"] if _is_loader(handler)]
    for handler in loaders:
        handler["_disabled_"] = True
    if loaders and processes.first():  # at every training of a server that runs for days
        print(
            "warning: training starts afresh: a model that went on from another would know its patients as well",
            flush=True,
        )
    clean = copy.deepcopy({name: value for name, value in run.config.items() if name != "device"})
    clean["train"]["handlers"] = [handler for handler in clean["train"]["handlers"] if not _is_loader(handler)]
    clean[FIELDS] = own[FIELDS]
    clean["device"] = str(run.config.get("device", "auto"))
    return replace(run, clean=clean), handed


def _is_loader(handler: Any) -> bool:
    return isinstance(handler, Mapping) and handler.get("_target_") == LOADER


def _at(config: Mapping[str, Any], place: tuple[str, ...]) -> Any:
    found: Any = config
    for name in place:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found
