"""A DICOM folder as a data set: masks as segmentations or NIfTI files, the same tensors either way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from scripts.data import build_source
from scripts.data.dicom.index import read_index
from scripts.data.dicom.segmentation import write_segmentation
from scripts.data.transforms import preprocessing
from scripts.errors import InputError, user_error


def numbers(known: Any) -> np.ndarray:
    """Two structures, one of them on two slices alone."""
    found = np.zeros(known.values.shape, np.uint8)
    found[2:6, 3:8, 1:5] = 1
    found[7:9, 2:4, 2:4] = 2
    return found


def segment(known: Any, masks: np.ndarray, path: Path) -> None:
    sources = [one.path for one in read_index(known.folder).series[known.uid].ordered()]
    names = [f"structure {number}" for number in range(1, len(masks) + 1)]
    write_segmentation(path, masks, sources=sources, affine=known.affine, names=names)


def prepared(folder: Path, **settings: Any) -> dict[str, Any]:
    source = build_source("dicom", dataset_dir=folder, **settings)
    (record,) = source.records()
    return {**record, **preprocessing(source, normalise="none")(record)}


@pytest.mark.parametrize(("task", "outputs"), [("multiclass_segmentation", 3), ("multilabel_segmentation", 2)])
def test_a_segmentation_is_the_mask_that_was_written(known: Any, task: str, outputs: int) -> None:
    masks = np.stack([numbers(known) == 1, numbers(known) == 2])
    segment(known, masks, known.folder / "masks.dcm")
    item = prepared(known.folder, task=task, outputs=outputs)
    nib.save(nib.Nifti1Image(numbers(known), known.affine), known.folder.parent / "same.nii.gz")
    from scripts.data.volumes import read_volume, upright

    same = upright(read_volume(known.folder.parent / "same.nii.gz")).values[0]
    assert torch.equal(item["label"], torch.from_numpy(np.stack([same == 1, same == 2]).astype(np.float32)))
    assert (item["patient_id"], item["series_id"], item["age"]) == ("P-01", known.uid, 45.0)
    np.testing.assert_allclose(item["spacing"], [0.8, 1.1, 3.0], atol=1e-4)


def test_a_nifti_mask_and_a_segmentation_are_one(known: Any) -> None:
    binary = numbers(known) > 0
    path = known.folder / f"{known.uid}.nii.gz"
    nib.save(nib.Nifti1Image(binary.astype(np.uint8), known.affine), path)
    first = prepared(known.folder)
    path.unlink()
    segment(known, binary[None], known.folder / "mask.dcm")
    second = prepared(known.folder)
    assert torch.equal(first["label"], second["label"])
    assert torch.equal(first["image"], second["image"])


def refused(folder: Path, **settings: Any) -> str:
    with pytest.raises((InputError, RuntimeError)) as found:
        prepared(folder, **settings)
    error = user_error(found.value)
    assert error is not None
    assert "\n" not in str(error)
    return str(error)


def test_two_masks_of_a_series(known: Any) -> None:
    binary = numbers(known)[None] > 0
    segment(known, binary, known.folder / "mask.dcm")
    nib.save(nib.Nifti1Image(binary[0].astype(np.uint8), known.affine), known.folder / f"{known.uid}.nii.gz")
    assert "is a second mask" in refused(known.folder)


def test_a_mask_that_lies_beside_its_series(known: Any) -> None:
    affine = known.affine.copy()
    affine[0, 3] += 7
    binary = (numbers(known) > 0).astype(np.uint8)
    nib.save(nib.Nifti1Image(binary, affine), known.folder / f"{known.uid}.nii.gz")
    assert "mm beside its image" in refused(known.folder)


def test_more_segments_than_structures(known: Any) -> None:
    segment(known, np.stack([numbers(known) == 1, numbers(known) == 2]), known.folder / "masks.dcm")
    assert "holds 2 segments, where out_channels asks for 1" in refused(known.folder)


def test_segments_that_overlap(known: Any) -> None:
    segment(known, np.stack([numbers(known) >= 1, numbers(known) == 2]), known.folder / "masks.dcm")
    assert "segments overlap" in refused(known.folder, task="multiclass_segmentation", outputs=3)


def test_no_series_with_a_mask(known: Any, capsys: Any) -> None:
    assert "no images found" in refused(known.folder)
    assert "1 series have no mask" in capsys.readouterr().out


def test_what_the_data_cannot_be(known: Any) -> None:
    assert "in_channels: 3" in refused(known.folder, channels=3)
    assert "task: classification" in refused(known.folder, task="classification")


def test_a_mask_replaces_nothing_but_an_earlier_mask(known: Any, tmp_path: Path) -> None:
    from monai.data import MetaTensor
    from scripts.data.dicom.inference import ReadSeriesd, SaveSegmentationd, series_in

    (item,) = series_in(known.folder)
    image = ReadSeriesd()(item)["image"]
    mask = MetaTensor(torch.from_numpy(numbers(known) > 0)[None].float(), meta=image.meta)
    out = tmp_path / "out"
    for extension, theirs in ((".dcm", b"theirs"), (".nii.gz", b"theirs")):
        path = out / f"{known.uid}_mask{extension}"
        saving = SaveSegmentationd(dataset_dir=str(known.folder), output_dir=str(out), output_ext=extension)
        saving({"pred": mask})
        saving({"pred": mask})
        path.write_bytes(theirs)
        with pytest.raises(InputError, match="is no mask of an earlier run"):
            saving({"pred": mask})
        assert path.read_bytes() == theirs
