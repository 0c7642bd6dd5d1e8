"""The committed model as an inference bundle of MONAI's own parts: no Python of ours, no expression but references.

For gates that take no foreign code. Each step of our inference has its counterpart among MONAI's transforms; a picture
is turned by a quarter and flipped because MONAI reads it with columns first, and our networks were trained rows first.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from scripts.errors import InputError
from scripts.files import atomic_path, write_json
from scripts.tasks.registry import TASKS

NAME = "inference_bundle"
LISTED = "images"  # key of the list of images
SCHEMA = "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/0.8.1/meta_schema_20240725.json"
PACKAGES = ("nibabel", "pillow", "pytorch-ignite")

README = """# Model Overview
A model that was made to forget what a deletion request named, with nothing but MONAI's own parts around it.

#### Execute inference:
List the images in `configs/images.json`, with paths relative to the bundle's folder, and from that folder:
```
python -m monai.bundle run --config_file configs/inference.json
```
Masks go to `eval/`. `--device cuda` takes a GPU.

# License
As that of the model that it was made from.
"""


@dataclass(frozen=True)
class Wanted:
    """What the files follow from: settings of the run's workflows.

    Attributes:
        network: MONAI's block of it.
        image_size: pixels along each axis; None: as they are.
        patch_size: of windows; empty: whole images.
    """

    network: Mapping[str, Any]
    task: str
    spatial_dims: int
    in_channels: int
    out_channels: int
    normalise: str
    image_size: Sequence[int] | None
    patch_size: Sequence[int]
    overlap: float


class InferenceBundle:
    """Writes the bundle's folder, the weights last.

    Args:
        versions: metadata of this bundle, for the versions that it was made with.
        verdict: of the commit, for the note.
    """

    def __init__(self, wanted: Wanted, *, versions: Mapping[str, Any], verdict: str) -> None:
        self.wanted, self.versions, self.verdict = wanted, versions, verdict
        self.task = TASKS[wanted.task]()

    def problem(self) -> str:
        """Why there can be none; empty where there can."""
        if any(sign in json.dumps(self.wanted.network) for sign in ('"$', '"%', '"@')):
            return "network_def holds expressions or references"
        if self.wanted.in_channels not in (1, 3) and self.wanted.spatial_dims == 2:
            return f"pictures of {self.wanted.in_channels} channels"
        return ""

    def write(self, folder: Path, *, weights: Path, licence: Path) -> Path:
        """Write it; the folder.

        Raises:
            InputError: something else is in its place.
        """
        if folder.exists() and not (folder / "configs").is_dir():
            raise InputError(f"output_dir: {folder} is in the way of the inference bundle; move it elsewhere")
        shutil.rmtree(folder, ignore_errors=True)
        for part in ("configs", "models", "docs"):
            (folder / part).mkdir(parents=True)
        write_json(folder / "configs" / "images.json", {LISTED: []})
        for name, content in {"inference.json": self.config(), "metadata.json": self.metadata()}.items():
            with atomic_path(folder / "configs" / name) as temporary:
                temporary.write_text(json.dumps(content, indent=4) + "\n", encoding="utf-8")
        (folder / "docs" / "README.md").write_text(README, encoding="utf-8")
        shutil.copyfile(licence, folder / "LICENSE")
        with atomic_path(folder / "models" / "model.pt") as temporary:
            shutil.copyfile(weights, temporary)
        return folder

    def config(self) -> dict[str, Any]:
        """Content of `configs/inference.json`; it is run from the bundle's folder."""
        return {
            "bundle_root": ".",
            "dataset_dir": ".",
            "output_dir": "eval",
            "device": "cpu",
            "network_def": dict(self.wanted.network),
            "preprocessing": {"_target_": "Compose", "transforms": self._preprocessing()},
            "dataset": {
                "_target_": "Dataset",
                "data": {
                    "_target_": "monai.data.load_decathlon_datalist",
                    "data_list_file_path": "configs/images.json",
                    "is_segmentation": False,
                    "data_list_key": LISTED,
                    "base_dir": "@dataset_dir",
                },
                "transform": "@preprocessing",
            },
            "dataloader": {
                **{"_target_": "DataLoader", "dataset": "@dataset", "batch_size": 1, "shuffle": False},
                "num_workers": 0,
            },
            "inferer": self._inferer(),
            "postprocessing": {"_target_": "Compose", "transforms": self._postprocessing()},
            "handlers": [
                {
                    "_target_": "CheckpointLoader",
                    "load_path": "models/model.pt",
                    "load_dict": {"model": "@network_def"},
                    "map_location": "@device",
                }
            ],
            "evaluator": {
                "_target_": "SupervisedEvaluator",
                "device": "@device",
                "val_data_loader": "@dataloader",
                "network": "@network_def",
                "inferer": "@inferer",
                "postprocessing": "@postprocessing",
                "val_handlers": "@handlers",
            },
            # MONAI knows no other way to run something.
            "run": ["$@evaluator.run()"],
        }

    def _preprocessing(self) -> list[dict[str, Any]]:
        wanted, keys = self.wanted, "image"
        steps: list[dict[str, Any]] = [{"_target_": "LoadImaged", "keys": keys, "image_only": True}]
        if wanted.spatial_dims == 3:
            # A fourth axis of a file holds channels.
            channel: Any = "no_channel" if wanted.in_channels == 1 else -1
            steps.append({"_target_": "EnsureChannelFirstd", "keys": keys, "channel_dim": channel})
            steps.append({"_target_": "Orientationd", "keys": keys, "axcodes": "RAS", "labels": None})
        else:
            channel = "no_channel" if wanted.in_channels == 1 else -1
            steps.append({"_target_": "EnsureChannelFirstd", "keys": keys, "channel_dim": channel})
            steps.append({"_target_": "Rotate90d", "keys": keys, "k": 1, "spatial_axes": [0, 1]})
            steps.append({"_target_": "Flipd", "keys": keys, "spatial_axis": 0})
            steps.append(_scaled(keys, 0.0, 255.0, 0.0, 1.0))
        if wanted.image_size is not None:
            size = list(wanted.image_size)
            steps.append({"_target_": "Resized", "keys": keys, "spatial_size": size, "mode": "area"})
        if wanted.normalise == "half":
            steps.append(_scaled(keys, 0.0, 1.0, -1.0, 1.0))
        elif wanted.normalise == "zscore":
            steps.append({"_target_": "NormalizeIntensityd", "keys": keys})
        return [*steps, {"_target_": "EnsureTyped", "keys": keys, "dtype": "float32"}]

    def _inferer(self) -> dict[str, Any]:
        if not self.wanted.patch_size:
            return {"_target_": "SimpleInferer"}
        return {
            **{"_target_": "SlidingWindowInferer", "roi_size": list(self.wanted.patch_size), "sw_batch_size": 1},
            **{"overlap": self.wanted.overlap, "mode": "gaussian"},
        }

    def _postprocessing(self) -> list[dict[str, Any]]:
        exclusive = self.task.exclusive
        steps: list[dict[str, Any]] = [
            {"_target_": "Activationsd", "keys": "pred", "softmax" if exclusive else "sigmoid": True}
        ]
        if self.task.masks:
            back = {"transform": "@preprocessing", "orig_keys": "image", "nearest_interp": False, "to_tensor": True}
            discrete = {"argmax": True} if exclusive else {"threshold": 0.5}
            steps += [
                {"_target_": "Invertd", "keys": "pred", **back},
                {"_target_": "AsDiscreted", "keys": "pred", **discrete},
            ]
        suffix = ".nii.gz" if self.wanted.spatial_dims == 3 or not self.task.masks else ".png"
        save = {"output_dir": "@output_dir", "output_ext": suffix, "output_dtype": "uint8", "resample": False}
        if not self.task.masks:
            save |= {"output_dtype": "float32"}
        return [*steps, {"_target_": "SaveImaged", "keys": "pred", "separate_folder": False, **save}]

    def metadata(self) -> dict[str, Any]:
        """Content of `configs/metadata.json`."""
        wanted = self.wanted
        size: list[Any] = list(wanted.patch_size or wanted.image_size or ())
        values = {"half": [-1, 1], "none": [0, 1] if wanted.spatial_dims == 2 else []}.get(wanted.normalise, [])
        image = {
            **{"type": "image", "format": "magnitude", "num_channels": wanted.in_channels, "spatial_shape": size},
            **{"dtype": "float32", "value_range": values, "is_patch_data": bool(wanted.patch_size)},
        }
        answer = {**image, "num_channels": wanted.out_channels, "value_range": []}
        answer |= {"format": "segmentation"} if self.task.masks else {"format": "classes", "type": "probabilities"}
        note = f"weights unlearned, committed on {date.today().isoformat()}, verdict {self.verdict}"
        names = ("monai_version", "pytorch_version", "numpy_version")
        packages = self.versions["required_packages_version"]
        return {
            "schema": SCHEMA,
            "version": "0.1.0",
            "changelog": {"0.1.0": note},
            **{name: self.versions[name] for name in names},
            "required_packages_version": {name: packages[name] for name in PACKAGES},
            "name": "Unlearned model, inference",
            "task": wanted.task.replace("_", " "),
            "description": f"Inference with MONAI's own parts alone: {note}",
            "authors": self.versions["authors"],
            "copyright": self.versions["copyright"],
            "network_data_format": {"inputs": {"image": image}, "outputs": {"pred": answer}},
        }


def _scaled(keys: str, least: float, most: float, low: float, high: float) -> dict[str, Any]:
    return {
        **{"_target_": "ScaleIntensityRanged", "keys": keys, "a_min": least, "a_max": most},
        **{"b_min": low, "b_max": high},
    }
