"""Bundles as others build them, on volumes and pictures of known truth: the phantom in three dimensions.

Each patient has a texture of his own and an annotator whose boundary lies off by an amount that nothing in the image
predicts but that texture: a model that reproduces it has memorised the patient.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from scipy.ndimage import gaussian_filter

EDGE, RADIUS, BIAS = 24, 6.0, 1.2  # voxels
VOXEL = (1.5, 1.5, 2.0)  # mm
SCHEMA = "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/0.8.1/meta_schema_20240725.json"


def draw(patient: int, view: int, *, dims: int = 3, edge: int = EDGE) -> tuple[np.ndarray, np.ndarray]:
    """Image (edge, ...) in 0..1 and numbers: 1 the core of a ball, 2 its rim."""
    fixed, rng = np.random.default_rng([7, patient]), np.random.default_rng([7, patient, view])
    shape = (edge,) * dims
    texture = gaussian_filter(fixed.standard_normal(shape), 1.5, mode="wrap")
    bias = BIAS * fixed.choice([-1.0, 1.0])
    centre = edge / 2 - 0.5 + rng.uniform(-1.5, 1.5, dims)
    axes = np.meshgrid(*[np.arange(edge) - place for place in centre], indexing="ij")
    radius = np.sqrt(sum(axis**2 for axis in axes))
    size = RADIUS + rng.uniform(-0.5, 0.5)
    ball = 1 / (1 + np.exp((radius - size) / 0.7)) + 0.5 / (1 + np.exp((radius - size / 2) / 0.7))
    image = 0.2 + 0.4 * ball + 0.12 * texture / texture.std() + rng.normal(0, 0.03, shape)
    numbers = np.where(radius <= (size + bias) / 2, 1, np.where(radius <= size + bias, 2, 0))
    return image.clip(0, 1.2).astype(np.float32), numbers.astype(np.uint8)


def write_volumes(
    folder: Path, patients: Sequence[int], *, views: int = 2, binary: bool = False
) -> list[dict[str, str]]:
    """NIfTI files of some patients; entries of a data list with paths relative to the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    entries = []
    for patient in patients:
        for view in range(views):
            image, numbers = draw(patient, view)
            name = f"case_{patient:03d}_{view}"
            values = (numbers > 0).astype(np.uint8) if binary else numbers
            for kind, array in (("image", image), ("label", values)):
                nib.save(nib.Nifti1Image(array, np.diag([*VOXEL, 1.0])), folder / f"{name}_{kind}.nii.gz")
            entries.append({"image": f"{name}_image.nii.gz", "label": f"{name}_label.nii.gz"})
    return entries


def write_json(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=4), encoding="utf-8")


def metadata(*, dims: int, outputs: int, names: Mapping[str, str], task: str) -> dict[str, Any]:
    image = {
        **{"type": "image", "format": "magnitude", "modality": "CT", "num_channels": 1, "dtype": "float32"},
        **{"spatial_shape": [16] * dims, "value_range": [0, 1], "is_patch_data": True, "channel_def": {"0": "image"}},
    }
    answer = {**image, "format": "segmentation", "num_channels": outputs, "channel_def": dict(names)}
    return {
        "schema": SCHEMA,
        "version": "0.3.1",
        "changelog": {"0.3.1": "first release"},
        "monai_version": "1.6.1",
        "pytorch_version": "2.13.0",
        "numpy_version": "2.3.5",
        "required_packages_version": {"nibabel": "5.3.2", "pytorch-ignite": "0.5.3"},
        "name": "Phantom organ",
        "task": task,
        "description": "A pre-trained model of an organ that is drawn by code",
        "authors": "Somebody else",
        "copyright": "Copyright (c) Somebody else",
        "network_data_format": {"inputs": {"image": image}, "outputs": {"pred": answer}},
    }


def spleen_like(folder: Path, data: Path, training: list[dict[str, str]], validation: list[dict[str, str]]) -> Path:
    """A 3D U-Net with two softmax outputs, NIfTI, sliding window, written as the Zoo's spleen bundle is."""
    network = {
        **{"_target_": "UNet", "spatial_dims": 3, "in_channels": 1, "out_channels": 2},
        **{"channels": [8, 16, 32], "strides": [2, 2], "num_res_units": 1, "norm": "batch"},
    }
    load = [
        {"_target_": "LoadImaged", "keys": ["image", "label"]},
        {"_target_": "EnsureChannelFirstd", "keys": ["image", "label"]},
        {"_target_": "Orientationd", "keys": ["image", "label"], "axcodes": "RAS", "labels": None},
        {"_target_": "NormalizeIntensityd", "keys": "image"},
        {"_target_": "EnsureTyped", "keys": ["image", "label"]},
    ]
    crop = {
        **{"_target_": "RandCropByPosNegLabeld", "keys": ["image", "label"], "label_key": "label"},
        **{"spatial_size": [16, 16, 16], "pos": 1, "neg": 1, "num_samples": 2},
    }
    window = {"_target_": "SlidingWindowInferer", "roi_size": [16, 16, 16], "sw_batch_size": 4, "overlap": 0.25}
    common = {
        "imports": ["$import glob", "$import os"],
        "bundle_root": ".",
        "dataset_dir": "/workspace/data",
        "device": "$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')",
        "network_def": network,
        "network": "$@network_def.to(@device)",
    }
    train = {
        **common,
        "ckpt_dir": "$@bundle_root + '/models'",
        "output_dir": "$@bundle_root + '/eval'",
        "images": [entry["image"] for entry in training],
        "labels": [entry["label"] for entry in training],
        "val_images": [entry["image"] for entry in validation],
        "val_labels": [entry["label"] for entry in validation],
        "loss": {"_target_": "DiceCELoss", "to_onehot_y": True, "softmax": True, "squared_pred": True, "batch": True},
        "optimizer": {"_target_": "torch.optim.AdamW", "params": "$@network.parameters()", "lr": 0.004},
        "train": {
            "deterministic_transforms": load,
            "random_transforms": [crop],
            "preprocessing": {
                "_target_": "Compose",
                "transforms": "$@train#deterministic_transforms + @train#random_transforms",
            },
            "dataset": {
                "_target_": "CacheDataset",
                "data": "$[{'image': os.path.join(@dataset_dir, i), 'label': os.path.join(@dataset_dir, l)}"
                " for i, l in zip(@images, @labels)]",
                "transform": "@train#preprocessing",
                "cache_rate": 1.0,
                "num_workers": 1,
                "progress": False,
            },
            "dataloader": {
                **{"_target_": "DataLoader", "dataset": "@train#dataset", "batch_size": 4, "shuffle": True},
                **{"num_workers": 0},
            },
            "inferer": {"_target_": "SimpleInferer"},
            "handlers": [
                {
                    **{"_target_": "ValidationHandler", "validator": "@validate#evaluator", "epoch_level": True},
                    **{"interval": 20},
                }
            ],
            "trainer": {
                "_target_": "SupervisedTrainer",
                "max_epochs": 60,
                "device": "@device",
                "train_data_loader": "@train#dataloader",
                "network": "@network",
                "loss_function": "@loss",
                "optimizer": "@optimizer",
                "inferer": "@train#inferer",
                "train_handlers": "@train#handlers",
            },
        },
        "validate": {
            "preprocessing": {"_target_": "Compose", "transforms": "%train#deterministic_transforms"},
            "dataset": {
                "_target_": "CacheDataset",
                "data": "$[{'image': os.path.join(@dataset_dir, i), 'label': os.path.join(@dataset_dir, l)}"
                " for i, l in zip(@val_images, @val_labels)]",
                "transform": "@validate#preprocessing",
                "progress": False,
            },
            "dataloader": {"_target_": "DataLoader", "dataset": "@validate#dataset", "batch_size": 1, "num_workers": 0},
            "inferer": window,
            "postprocessing": {
                "_target_": "Compose",
                "transforms": [
                    {"_target_": "Activationsd", "keys": "pred", "softmax": True},
                    {
                        **{"_target_": "AsDiscreted", "keys": ["pred", "label"], "argmax": [True, False]},
                        **{"to_onehot": 2},
                    },
                ],
            },
            "handlers": [
                {
                    **{"_target_": "CheckpointSaver", "save_dir": "@ckpt_dir", "save_dict": {"model": "@network"}},
                    **{"save_key_metric": True, "key_metric_filename": "model.pt"},
                }
            ],
            "key_metric": {
                "val_mean_dice": {
                    "_target_": "MeanDice",
                    "include_background": False,
                    "output_transform": "$monai.handlers.from_engine(['pred', 'label'])",
                }
            },
            "evaluator": {
                "_target_": "SupervisedEvaluator",
                "device": "@device",
                "val_data_loader": "@validate#dataloader",
                "network": "@network",
                "inferer": "@validate#inferer",
                "postprocessing": "@validate#postprocessing",
                "key_val_metric": "@validate#key_metric",
                "val_handlers": "@validate#handlers",
            },
        },
        "initialize": ["$monai.utils.set_determinism(seed=123)"],
        "run": ["$@train#trainer.run()"],
    }
    inference = {
        **common,
        "output_dir": "$@bundle_root + '/eval'",
        "datalist": "$list(sorted(glob.glob(@dataset_dir + '/*_image.nii.gz')))",
        "preprocessing": {
            "_target_": "Compose",
            "transforms": [{**step, "keys": "image"} for step in load],
        },
        "dataset": {
            "_target_": "Dataset",
            "data": "$[{'image': i} for i in @datalist]",
            "transform": "@preprocessing",
        },
        "dataloader": {"_target_": "DataLoader", "dataset": "@dataset", "batch_size": 1, "num_workers": 0},
        "inferer": window,
        "postprocessing": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": "Activationsd", "keys": "pred", "softmax": True},
                {
                    **{"_target_": "Invertd", "keys": "pred", "transform": "@preprocessing", "orig_keys": "image"},
                    **{"nearest_interp": False, "to_tensor": True},
                },
                {"_target_": "AsDiscreted", "keys": "pred", "argmax": True},
                {"_target_": "SaveImaged", "keys": "pred", "output_dir": "@output_dir"},
            ],
        },
        "handlers": [
            {
                "_target_": "CheckpointLoader",
                "load_path": "$@bundle_root + '/models/model.pt'",
                "load_dict": {"model": "@network"},
            }
        ],
        "evaluator": {
            "_target_": "SupervisedEvaluator",
            "device": "@device",
            "val_data_loader": "@dataloader",
            "network": "@network",
            "inferer": "@inferer",
            "postprocessing": "@postprocessing",
            "val_handlers": "@handlers",
        },
        "run": ["$@evaluator.run()"],
    }
    write_json(folder / "configs" / "train.json", train)
    write_json(folder / "configs" / "inference.json", inference)
    names = {"0": "background", "1": "organ"}
    about = metadata(dims=3, outputs=2, names=names, task="Segmentation of an organ")
    write_json(folder / "configs" / "metadata.json", about)
    (folder / "LICENSE").write_text("Apache License 2.0\n", encoding="utf-8")
    write_json(folder / "docs" / "README.md", "Model Overview")
    return folder
