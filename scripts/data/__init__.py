"""Official folder layouts to MONAI datalists, transforms and caches."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

from scripts.data.source import LEVEL_KEYS, DataSource, Record, nearest_known
from scripts.errors import InputError

# name in the config -> module of this package, class; imported when asked for
SOURCES = {
    "phantom": ("phantom", "Phantom"),
    "chase": ("chase", "Chase"),
    "isic": ("isic", "Isic"),
    "isic_classification": ("isic_classification", "IsicClassification"),
    "medmnist": ("medmnist", "MedMnist"),
    "mri": ("mri", "Mri"),
    "datalist": ("datalist", "Datalist"),
    "dicom": ("dicom.source", "Dicom"),
}


def build_source(name: str, **options: Any) -> DataSource:
    """The data set called `name`.

    Args:
        name: a key of `SOURCES`.
        options: settings of all data sets; those that this one does not declare are left aside, because one
            config carries the settings of all of them. `download: true` first fetches `download_archives`
            (URL: checksum) into `dataset_dir`; nothing is ever fetched without it. `channels` is the network's
            `in_channels`: it decides how pictures are taken, and None leaves it to the data set.

    Raises:
        InputError: unknown name, or a setting that the data set refuses.
    """
    if name not in SOURCES:
        raise InputError(f"unknown data set '{name}'; nearest: {nearest_known(str(name), SOURCES)}")
    module, class_name = SOURCES[name]
    kind = getattr(importlib.import_module(f".{module}", __package__), class_name)
    if options.get("download"):
        _download(options.get("download"), options.get("download_archives"), options.get("dataset_dir"))
    declared = inspect.signature(kind.__init__).parameters
    return kind(**{key: value for key, value in options.items() if key in declared})


def _download(asked: Any, archives: Any, dataset_dir: Any) -> None:
    if asked is not True:
        raise InputError(f"download: '{asked}' is not true or false")
    if not isinstance(archives, dict):
        raise InputError("download: is on, but download_archives lists no 'URL: sha256:...'")
    from scripts import processes
    from scripts.data.download import download  # only where asked for

    processes.once(lambda: download(archives, dataset_dir=dataset_dir))


__all__ = ["LEVEL_KEYS", "SOURCES", "DataSource", "Record", "build_source", "nearest_known"]
