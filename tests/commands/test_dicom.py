"""Real MR volumes as NIfTI files and as DICOM series: the same student either way, and masks that go back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import highdicom
import nibabel as nib
import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from scripts.chain import run_workflow
from scripts.cohort.split_file import RecordedSplit
from scripts.data.dicom.index import read_index
from scripts.data.dicom.segmentation import write_segmentation
from tests.commands.common import EXACT, ROOT, request_file, run, tensors
from tests.data.dicom.series import write_series

NETWORK = {
    **{"_target_": "UNet", "spatial_dims": 3, "in_channels": 1, "out_channels": 1, "channels": [4, 8]},
    **{"strides": [2], "norm": "INSTANCE"},
}
AFFINE = np.diag([-1.0, -1.0, 3.0, 1.0])  # mm; the files do not say, and nothing here depends on it
THRESHOLD = 0.12  # of the largest value of the smoothed volume: above it is head or neck, below is air


def volumes(folder: Path) -> dict[str, np.ndarray]:
    """One volume (X, Y, Z) a subject, every fourth pixel of its first slices."""
    found: dict[str, np.ndarray] = {}
    for name in ("brain", "neck"):
        content = np.load(folder / f"{name}_slices.npz", allow_pickle=False)
        for subject in sorted(set(content["subject"].tolist())):
            own = np.flatnonzero(content["subject"] == subject)[:10]
            found[str(subject)] = content["images"][own][:, ::4, ::4].transpose(2, 1, 0).astype(np.float32)
    return found


def masks(values: np.ndarray) -> np.ndarray:
    """Tissue: smoothed intensity above a share of its largest value."""
    smooth = gaussian_filter(values, 1.0)
    return (smooth > THRESHOLD * smooth.max()).astype(np.uint8)


@pytest.fixture(scope="module")
def both(data_root: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same volumes and masks, as NIfTI files with a list, and as DICOM."""
    given, nifti = volumes(data_root("MRI")), tmp_path_factory.mktemp("nifti")
    dicom, entries = tmp_path_factory.mktemp("dicom"), []
    for place, (subject, values) in enumerate(sorted(given.items())):
        for kind, array in (("image", values), ("mask", masks(values))):
            nib.save(nib.Nifti1Image(array, AFFINE), nifti / f"{subject}-{kind}.nii.gz")
        # In the order of the subjects, for an epoch's order follows that of the image ids.
        uid = write_series(dicom / subject, values, AFFINE, patient=subject, series=f"1.2.826.0.1.{100 + place}")
        paths = [one.path for one in read_index(dicom / subject).series[uid].ordered()]
        seg = dicom / subject / "mask.dcm"
        write_segmentation(seg, masks(values)[None], sources=paths, affine=AFFINE, names=["tissue"])
        files = {"image": f"{subject}-image.nii.gz", "label": f"{subject}-mask.nii.gz"}
        entries.append({**files, "patient_id": subject, "series_id": uid})
    (nifti / "list.json").write_text(json.dumps(entries), encoding="utf-8")
    return nifti, dicom


@pytest.mark.slow
def test_the_same_student_either_way(both: tuple[Path, Path], tmp_path: Path) -> None:
    nifti, dicom = both
    ways: dict[str, dict[str, Any]] = {
        "nifti": {"dataset_name": "datalist", "datalist": str(nifti / "list.json")},
        "dicom": {"dataset_name": "dicom", "dataset_dir": str(dicom)},
    }
    common = {
        **EXACT,
        **{"spatial_dims": 3, "image_size": [32, 32, 8], "normalise": "zscore", "network_def": NETWORK},
        **{"threads": 1, "progress": False, "split_seed": 2},
    }
    students = {}
    for name, own in ways.items():
        about = {**common, **own, "model_dir": str(tmp_path / name), "output_dir": str(tmp_path / f"{name}_run")}
        training = {"epochs": 6, "batch_size": 4, "augment": "none", "validate_every": 6, "learning_rate": 1e-2}
        run("train", {**about, **training, "output_dir": str(tmp_path / f"{name}_train")}, run_id="single")
        split = RecordedSplit.read(tmp_path / name / "split.json")
        assert split is not None
        asked = min(path.name for path in dicom.iterdir() if split.places[split.digest(path.name)] == "training")
        request = request_file(tmp_path / "request.csv", [asked])
        few = {"max_rounds": 1, "min_rounds": 1, "steps_per_round": 2, "forget_batch": 1, "retain_batch": 2}
        method = {"method": "erase_to_retain", "reference": "none", "lora_rank": 2, "near_duplicates": False}
        run("forget", {**about, **few, **method, "request": str(request)})
        students[name] = tensors(tmp_path / f"{name}_run" / "release" / "student.pt")
    for name, value in students["nifti"].items():
        torch.testing.assert_close(students["dicom"][name], value, rtol=1e-4, atol=1e-5)
    _masks_go_back(tmp_path, dicom)


def _masks_go_back(tmp_path: Path, dicom: Path) -> None:
    """`infer` writes a segmentation of each series, on its slices."""
    files = [str(ROOT / "configs" / name) for name in ("inference.yaml", "inference_dicom.yaml")]
    own = {
        **{"dataset_dir": str(dicom), "model_dir": str(tmp_path / "dicom"), "network_def": NETWORK, "device": "cpu"},
        **{"spatial_dims": 3, "image_size": [32, 32, 8], "normalise": "zscore"},
    }
    for extension in ("", ".nii.gz"):
        settings = {**own, "output_dir": str(tmp_path / f"masks{extension}"), "output_ext": extension}
        run_workflow(files, run_id="infer", overrides={"bundle_root": str(ROOT), **settings})
    index = read_index(dicom)
    for uid, series in index.series.items():
        paths = [one.path for one in series.ordered()]
        found = highdicom.seg.segread(tmp_path / "masks" / f"{uid}_mask.dcm")
        assert found.PatientID == series.patient
        assert found.ReferencedSeriesSequence[0].SeriesInstanceUID == uid
        stored = nib.load(tmp_path / "masks.nii.gz" / f"{uid}_mask.nii.gz")
        truth = masks(volumes_of(paths))
        same = np.asarray(stored.dataobj)
        assert same.shape == truth.shape
        # Six epochs are enough to tell tissue from air.
        assert 2 * (same * truth).sum() / (same.sum() + truth.sum()) > 0.7
        volume = found.get_volume().match_geometry(
            highdicom.VolumeGeometry(np.diag([-1, -1, 1, 1]) @ stored.affine, same.shape, "PATIENT")
        )
        assert np.array_equal(np.asarray(volume.array)[..., 0], same)


def volumes_of(paths: list[str]) -> np.ndarray:
    """Values (X, Y, Z) on the file's own axes."""
    from scripts.data.dicom.reading import read_series

    return read_series(paths).values[0]
