"""Bundles as others build them, on volumes and pictures of known truth: the phantom in three dimensions.

Each patient has a texture of his own and an annotator whose boundary lies off by an amount that nothing in the image
predicts but that texture: a model that reproduces it has memorised the patient. In classification some patients carry
the wrong label.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

RADIUS, BIAS = 0.25, 1.2  # of the edge; voxels
VOXEL = (1.5, 1.5, 2.0)  # mm
SCHEMA = "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/0.8.1/meta_schema_20240725.json"
BOTH = ["image", "label"]
TRAINED, HELD_OUT, VIEWS = 12, 6, 2  # patients, patients, images of each


def bias(patient: int) -> float:
    """Voxels by which the patient's annotator draws the boundary off."""
    return BIAS * (-1.0) ** patient


def label_of(patient: int) -> int:
    """Whether there is a core; every fourth patient carries the wrong label."""
    return int((patient // 2 % 2) ^ (patient % 4 == 3))


def size_of(patient: int, view: int, *, edge: int) -> float:
    """Radius of the ball, voxels, as the image shows it."""
    return RADIUS * edge + float(np.random.default_rng([7, patient, view]).uniform(-0.5, 0.5))


def draw(patient: int, view: int, *, dims: int, edge: int) -> tuple[np.ndarray, np.ndarray]:
    """Image (edge, ...) in 0..1 and numbers: 1 the core of a ball, 2 its rim."""
    fixed, rng = np.random.default_rng([8, patient]), np.random.default_rng([7, patient, view])
    shape, size = (edge,) * dims, size_of(patient, view, edge=edge)
    rng.uniform()
    texture = gaussian_filter(fixed.standard_normal(shape), 1.5, mode="wrap")
    centre = edge / 2 - 0.5 + rng.uniform(-1.5, 1.5, dims)
    axes = np.meshgrid(*[np.arange(edge) - place for place in centre], indexing="ij")
    radius = np.sqrt(sum(axis**2 for axis in axes))
    ball = 1 / (1 + np.exp((radius - size) / 0.7))
    core = (patient // 2 % 2) * 0.5 / (1 + np.exp((radius - size / 2) / 0.7))
    image = 0.2 + 0.35 * ball + core + 0.12 * texture / texture.std() + rng.normal(0, 0.03, shape)
    own = size + bias(patient)
    numbers = np.where(radius <= own / 2, 1, np.where(radius <= own, 2, 0))
    return image.clip(0, 1).astype(np.float32), numbers.astype(np.uint8)


@dataclass(frozen=True)
class Shape:
    """One kind of bundle.

    Attributes:
        name: of its folder.
        network: block of the network.
        outputs: its channels, and `names` of them.
        softmax: the activation behind it; else sigmoid.
        loss: block of the loss.
        dims, edge: of its images; `patch` is what it is trained on, 0 whole images.
        kind: of its labels: "numbers" and "binary" masks, "pictures" masks of 0 and 255, "labels" class numbers.
        epochs, rate: of its training.
        load: further transforms.
        package: source of its own `scripts`, file name -> text.
    """

    name: str
    network: dict[str, Any]
    outputs: int
    names: Mapping[str, str]
    loss: dict[str, Any]
    softmax: bool = True
    dims: int = 3
    edge: int = 24
    patch: int = 16
    kind: str = "numbers"
    channels: int = 1
    epochs: int = 60
    rate: float = 4e-3
    load: Sequence[dict[str, Any]] = ()
    package: Mapping[str, str] = field(default_factory=dict)

    @property
    def masks(self) -> bool:
        return self.kind != "labels"


ORGAN = {"0": "background", "1": "organ"}
PARTS = {"0": "background", "1": "core", "2": "rim"}
SOFT = {"to_onehot_y": True, "softmax": True, "batch": True}

NET = """
import torch
from torch import nn


class OrganNet(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.down = nn.Sequential(nn.Conv3d(1, width, 3, padding=1), nn.BatchNorm3d(width), nn.ReLU())
        self.low = nn.Sequential(nn.Conv3d(width, 2 * width, 3, 2, padding=1), nn.BatchNorm3d(2 * width), nn.ReLU(),
                                 nn.Conv3d(2 * width, 2 * width, 3, padding=1), nn.BatchNorm3d(2 * width), nn.ReLU())
        self.up = nn.ConvTranspose3d(2 * width, width, 2, 2)
        self.mix = nn.Sequential(nn.Conv3d(2 * width, width, 3, padding=1), nn.BatchNorm3d(width), nn.ReLU())
        self.out = nn.Conv3d(width, 1, 1)

    def forward(self, x):
        high = self.down(x)
        return self.out(self.mix(torch.cat([high, self.up(self.low(high))], 1)))
"""
STANDARD = """
from monai.transforms import MapTransform

from scripts.constants import MEAN, DEVIATION


class Standardised(MapTransform):
    def __call__(self, data):
        record = dict(data)
        for key in self.key_iterator(record):
            record[key] = (record[key] - MEAN) / DEVIATION
        return record
"""

SHAPES = {
    shape.name: shape
    for shape in (
        Shape(
            name="spleen_like_ct_segmentation",
            network={
                **{"_target_": "UNet", "spatial_dims": 3, "in_channels": 1, "out_channels": 2, "num_res_units": 1},
                **{"channels": [8, 16, 32], "strides": [2, 2], "norm": "batch"},
            },
            outputs=2,
            names=ORGAN,
            kind="binary",
            loss={"_target_": "DiceCELoss", "squared_pred": True, **SOFT},
        ),
        Shape(
            name="parts_deep_supervision_segmentation",
            network={
                **{"_target_": "SegResNetDS", "spatial_dims": 3, "init_filters": 8, "in_channels": 1},
                **{"out_channels": 3, "blocks_down": [1, 1, 1], "norm": "INSTANCE", "dsdepth": 2},
            },
            outputs=3,
            names=PARTS,
            loss={"_target_": "DeepSupervisionLoss", "loss": {"_target_": "DiceCELoss", **SOFT}},
        ),
        Shape(
            name="parts_transformer_segmentation",
            network={
                **{"_target_": "SwinUNETR", "in_channels": 1, "out_channels": 3, "feature_size": 12},
                **{"depths": [1, 1, 1, 1], "num_heads": [1, 2, 2, 2], "spatial_dims": 2},
            },
            outputs=3,
            names=PARTS,
            dims=2,
            edge=80,
            patch=64,
            epochs=40,
            loss={"_target_": "DiceCELoss", **SOFT},
        ),
        Shape(
            name="colour_picture_segmentation",
            network={
                **{"_target_": "FlexibleUNet", "in_channels": 3, "out_channels": 1, "backbone": "resnet18"},
                **{"pretrained": False, "decoder_channels": [64, 32, 16, 8, 8]},
            },
            outputs=1,
            names={"0": "organ"},
            softmax=False,
            dims=2,
            edge=64,
            patch=0,
            kind="pictures",
            channels=3,
            epochs=40,
            rate=1e-3,
            loss={"_target_": "DiceCELoss", "sigmoid": True},
        ),
        Shape(
            name="core_classification",
            network={
                **{"_target_": "DenseNet", "spatial_dims": 2, "in_channels": 1, "out_channels": 2},
                **{"init_features": 16, "growth_rate": 8, "block_config": [2, 2, 2]},
            },
            outputs=2,
            names={"0": "without", "1": "with core"},
            dims=2,
            edge=48,
            patch=0,
            kind="labels",
            loss={"_target_": "torch.nn.CrossEntropyLoss"},
        ),
        Shape(
            name="own_package_segmentation",
            network={"_target_": "scripts.net.OrganNet", "width": 8},
            outputs=1,
            names={"0": "organ"},
            softmax=False,
            kind="binary",
            loss={"_target_": "DiceCELoss", "sigmoid": True},
            load=[{"_target_": "scripts.standard.Standardised", "keys": "image"}],
            package={
                "__init__.py": "",
                "net.py": NET,
                "standard.py": STANDARD,
                "constants.py": "MEAN, DEVIATION = 0.3, 0.2\n",
            },
        ),
    )
}


def write_bundle(
    folder: Path, shape: Shape, *, trained: int = TRAINED, held_out: int = HELD_OUT, epochs: int | None = None
) -> Path:
    """Data in `folder/data` and a bundle without weights beside it; the bundle's folder."""
    training = _write_data(folder / "data", range(trained), shape)
    validation = _write_data(folder / "data", range(trained, trained + held_out), shape)
    bundle = folder / shape.name
    train = _train(shape, training, validation)
    train["train"]["trainer"]["max_epochs"] = epochs or shape.epochs
    write_json(bundle / "configs" / "train.json", train)
    write_json(bundle / "configs" / "inference.json", _inference(shape))
    write_json(bundle / "configs" / "metadata.json", _metadata(shape))
    (bundle / "LICENSE").write_text("Apache License 2.0\n", encoding="utf-8")
    (bundle / "docs").mkdir(exist_ok=True)
    (bundle / "docs" / "README.md").write_text("# Model Overview\n", encoding="utf-8")
    (bundle / "models").mkdir(exist_ok=True)
    for name, text in shape.package.items():
        (bundle / "scripts").mkdir(exist_ok=True)
        (bundle / "scripts" / name).write_text(text, encoding="utf-8")
    return bundle


def write_json(path: Path, content: Any) -> None:
    """JSON as the Zoo writes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=4), encoding="utf-8")


def _write_data(folder: Path, patients: Sequence[int], shape: Shape) -> list[dict[str, Any]]:
    folder.mkdir(parents=True, exist_ok=True)
    entries: list[dict[str, Any]] = []
    for patient in patients:
        for view in range(VIEWS):
            image, numbers = draw(patient, view, dims=shape.dims, edge=shape.edge)
            name = f"case_{patient:03d}_{view}"
            if shape.dims == 3:
                suffix = ".nii.gz"
                values = numbers if shape.kind == "numbers" else (numbers > 0).astype(np.uint8)
                for kind, array in (("image", image), ("label", values)):
                    nib.save(nib.Nifti1Image(array, np.diag([*VOXEL, 1.0])), folder / f"{name}_{kind}{suffix}")
            else:
                suffix = ".png"
                grey = (image * 255).astype(np.uint8)
                shown = np.stack([grey, grey // 2, 255 - grey], -1) if shape.channels == 3 else grey
                Image.fromarray(shown).save(folder / f"{name}_image{suffix}")
                drawn = numbers if shape.kind == "numbers" else ((numbers > 0) * 255).astype(np.uint8)
                Image.fromarray(drawn).save(folder / f"{name}_label{suffix}")
            label: Any = f"{name}_label{suffix}" if shape.masks else label_of(patient)
            entries.append({"image": f"{name}_image{suffix}", "label": label})
    return entries


def _load(shape: Shape, keys: list[str]) -> list[dict[str, Any]]:
    """Deterministic transforms."""
    steps: list[dict[str, Any]] = [{"_target_": "LoadImaged", "keys": keys}]
    if shape.channels == 3:
        steps.append({"_target_": "EnsureChannelFirstd", "keys": "image", "channel_dim": -1})
        if "label" in keys:
            steps.append({"_target_": "EnsureChannelFirstd", "keys": "label", "channel_dim": "no_channel"})
    else:
        steps.append({"_target_": "EnsureChannelFirstd", "keys": keys, "channel_dim": "no_channel"})
    if shape.dims == 3:
        steps.append({"_target_": "Orientationd", "keys": keys, "axcodes": "RAS", "labels": None})
    if shape.kind == "pictures":
        steps.append({"_target_": "ScaleIntensityd", "keys": keys})
    elif not shape.load:
        steps.append({"_target_": "NormalizeIntensityd", "keys": "image"})
    return [*steps, *shape.load, {"_target_": "EnsureTyped", "keys": keys}]


def _common(shape: Shape) -> dict[str, Any]:
    return {
        "imports": ["$import glob", "$import os"],
        "bundle_root": ".",
        "dataset_dir": "/workspace/data",
        "output_dir": "$@bundle_root + '/eval'",
        "device": "$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')",
        "network_def": shape.network,
        "network": "$@network_def.to(@device)",
    }


def _inferer(shape: Shape) -> dict[str, Any]:
    if not shape.patch:
        return {"_target_": "SimpleInferer"}
    size = [shape.patch] * shape.dims
    return {"_target_": "SlidingWindowInferer", "roi_size": size, "sw_batch_size": 4, "overlap": 0.25}


def _activation(shape: Shape) -> dict[str, Any]:
    return {"_target_": "Activationsd", "keys": "pred", "softmax" if shape.softmax else "sigmoid": True}


def _entries(shape: Shape, images: str, labels: str) -> str:
    label = "os.path.join(@dataset_dir, l)" if shape.masks else "l"
    return f"$[{{'image': os.path.join(@dataset_dir, i), 'label': {label}}} for i, l in zip(@{images}, @{labels})]"


def _train(shape: Shape, training: list[dict[str, Any]], validation: list[dict[str, Any]]) -> dict[str, Any]:
    crop = {
        **{"_target_": "RandCropByPosNegLabeld", "keys": BOTH, "label_key": "label", "pos": 1, "neg": 1},
        **{"spatial_size": [shape.patch] * shape.dims, "num_samples": 2},
    }
    data = {"_target_": "CacheDataset", "cache_rate": 1.0, "num_workers": 1, "progress": False}
    loader = {"_target_": "DataLoader", "num_workers": 0}
    validation_handler = {"_target_": "ValidationHandler", "validator": "@validate#evaluator", "interval": 20}
    discrete = {"_target_": "AsDiscreted", "keys": "pred", "threshold": 0.5}
    if shape.softmax:
        discrete = {"_target_": "AsDiscreted", "keys": BOTH, "argmax": [True, False], "to_onehot": shape.outputs}
    metric = {
        **{"_target_": "MeanDice", "include_background": not shape.softmax},
        "output_transform": "$monai.handlers.from_engine(['pred', 'label'])",
    }
    return {
        **_common(shape),
        "ckpt_dir": "$@bundle_root + '/models'",
        "images": [entry["image"] for entry in training],
        "labels": [entry["label"] for entry in training],
        "val_images": [entry["image"] for entry in validation],
        "val_labels": [entry["label"] for entry in validation],
        "loss": shape.loss,
        "optimizer": {"_target_": "torch.optim.AdamW", "params": "$@network.parameters()", "lr": shape.rate},
        "train": {
            "deterministic_transforms": _load(shape, BOTH if shape.masks else ["image"]),
            "random_transforms": [crop] if shape.patch else [],
            "preprocessing": {
                "_target_": "Compose",
                "transforms": "$@train#deterministic_transforms + @train#random_transforms",
            },
            "dataset": {**data, "data": _entries(shape, "images", "labels"), "transform": "@train#preprocessing"},
            "dataloader": {**loader, "dataset": "@train#dataset", "batch_size": 4, "shuffle": True},
            "inferer": {"_target_": "SimpleInferer"},
            "handlers": [{**validation_handler, "epoch_level": True}] if shape.masks else [],
            "trainer": {
                **{"_target_": "SupervisedTrainer", "device": "@device", "train_data_loader": "@train#dataloader"},
                **{"network": "@network", "loss_function": "@loss", "optimizer": "@optimizer", "max_epochs": 1},
                **{"inferer": "@train#inferer", "train_handlers": "@train#handlers"},
            },
        },
        "validate": {
            "preprocessing": {"_target_": "Compose", "transforms": "%train#deterministic_transforms"},
            "dataset": {
                **data,
                **{"data": _entries(shape, "val_images", "val_labels"), "transform": "@validate#preprocessing"},
            },
            "dataloader": {**loader, "dataset": "@validate#dataset", "batch_size": 1},
            "inferer": _inferer(shape),
            "postprocessing": {"_target_": "Compose", "transforms": [_activation(shape), discrete]},
            "handlers": [
                {
                    **{"_target_": "CheckpointSaver", "save_dir": "@ckpt_dir", "save_dict": {"model": "@network"}},
                    **{"save_key_metric": True, "key_metric_filename": "model.pt"},
                }
            ],
            "key_metric": {"val_mean_dice": metric},
            "evaluator": {
                **{"_target_": "SupervisedEvaluator", "device": "@device", "val_data_loader": "@validate#dataloader"},
                **{"network": "@network", "inferer": "@validate#inferer", "val_handlers": "@validate#handlers"},
                **{"postprocessing": "@validate#postprocessing", "key_val_metric": "@validate#key_metric"},
            },
        },
        "initialize": ["$monai.utils.set_determinism(seed=123)"],
        "run": ["$@train#trainer.run()"],
    }


def _inference(shape: Shape) -> dict[str, Any]:
    suffix = ".nii.gz" if shape.dims == 3 else ".png"
    answer: list[dict[str, Any]] = [_activation(shape)]
    if shape.masks:
        answer += [
            {"_target_": "AsDiscreted", "keys": "pred", **({"argmax": True} if shape.softmax else {"threshold": 0.5})},
            {"_target_": "SaveImaged", "keys": "pred", "output_dir": "@output_dir", "output_dtype": "$np.uint8"}
            # The metadata of a PNG is none that a NIfTI file could take.
            | ({} if shape.dims == 3 else {"output_ext": ".png", "scale": 255}),
        ]
    return {
        **_common(shape),
        "datalist": f"$list(sorted(glob.glob(@dataset_dir + '/*_image{suffix}')))",
        "preprocessing": {"_target_": "Compose", "transforms": _load(shape, ["image"])},
        "dataset": {
            **{"_target_": "Dataset", "data": "$[{'image': i} for i in @datalist]", "transform": "@preprocessing"}
        },
        "dataloader": {"_target_": "DataLoader", "dataset": "@dataset", "batch_size": 1, "num_workers": 0},
        "inferer": _inferer(shape),
        "postprocessing": {"_target_": "Compose", "transforms": answer},
        "handlers": [
            {
                **{"_target_": "CheckpointLoader", "load_path": "$@bundle_root + '/models/model.pt'"},
                "load_dict": {"model": "@network"},
            }
        ],
        "evaluator": {
            **{"_target_": "SupervisedEvaluator", "device": "@device", "val_data_loader": "@dataloader"},
            **{"network": "@network", "inferer": "@inferer", "postprocessing": "@postprocessing"},
            "val_handlers": "@handlers",
        },
        "run": ["$@evaluator.run()"],
    }


def _metadata(shape: Shape) -> dict[str, Any]:
    size = [shape.patch or shape.edge] * shape.dims
    image = {
        **{"type": "image", "format": "magnitude", "modality": "CT", "num_channels": shape.channels},
        **{"dtype": "float32", "spatial_shape": size, "value_range": [0, 1], "is_patch_data": bool(shape.patch)},
        "channel_def": {str(channel): "image" for channel in range(shape.channels)},
    }
    answer = {**image, "format": "segmentation", "num_channels": shape.outputs, "channel_def": dict(shape.names)}
    if not shape.masks:
        answer |= {"type": "probabilities", "format": "classes", "spatial_shape": [1, shape.outputs]}
    return {
        "schema": SCHEMA,
        "version": "0.3.1",
        "changelog": {"0.3.1": "first release"},
        "monai_version": "1.6.1",
        "pytorch_version": "2.13.0",
        "numpy_version": "2.3.5",
        "required_packages_version": {"nibabel": "5.3.2", "pytorch-ignite": "0.5.3"},
        "name": shape.name,
        "task": "An organ that is drawn by code",
        "description": "A pre-trained model of an organ that is drawn by code",
        "authors": "Somebody else",
        "copyright": "Copyright (c) Somebody else",
        "network_data_format": {"inputs": {"image": image}, "outputs": {"pred": answer}},
    }
