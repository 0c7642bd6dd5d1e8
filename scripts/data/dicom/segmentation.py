"""DICOM SEG through highdicom: masks on the voxels of the series that they are of, and back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scripts.data.dicom.index import EXTRA
from scripts.data.dicom.reading import TO_RAS
from scripts.errors import InputError
from scripts.files import atomic_path

SUFFIX = ".dcm"
MAKER = "MONAI bundle"  # stands in what is written: manufacturer and model are asked for
CATEGORY, TYPE = ("123037004", "SCT", "Anatomical Structure"), ("85756007", "SCT", "Tissue")


def _highdicom() -> Any:
    try:
        import highdicom
    except ImportError as error:
        raise InputError(EXTRA) from error
    return highdicom


def read_segmentation(path: str, affine: np.ndarray, grid: Sequence[int], *, image: str) -> np.ndarray:
    """Masks (S, X, Y, Z) in {0, 1}, float32, of all segments in their order, on an image's voxels.

    Args:
        affine: of the image's voxels, to RAS in mm.
        grid: of the image.
        image: its path, for the message.

    Raises:
        InputError: no readable segmentation, fractions, or voxels that are not those of the image.
    """
    hd = _highdicom()
    geometry = hd.VolumeGeometry(TO_RAS @ affine, tuple(int(length) for length in grid), "PATIENT")
    try:
        found = hd.seg.segread(path)
        volume = found.get_volume(rescale_fractional=True, skip_overlap_checks=True)
    except Exception as error:  # a damaged file can raise nearly anything; the operator must read its name
        raise InputError(f"{path}: not a readable DICOM segmentation ({_reason(error)})") from error
    try:
        matched = volume.match_geometry(geometry, tol=1e-2)
    except Exception as error:
        raise InputError(f"{path}: its voxels are not those of its series, {image} ({_reason(error)})") from error
    values = np.moveaxis(np.asarray(matched.array, dtype=np.float32), -1, 0)
    if not np.isin(values, (0.0, 1.0)).all():
        raise InputError(f"{path}: holds fractions; allowed are binary segmentations")
    return np.ascontiguousarray(values)


def write_segmentation(
    path: Path, masks: np.ndarray, *, sources: Sequence[str], affine: np.ndarray, names: Sequence[str]
) -> None:
    """Write masks as one DICOM SEG of the series whose files are `sources`, a segment for each that is not empty.

    Args:
        masks: (S, X, Y, Z) in {0, 1} on voxels with this `affine` to RAS.
        sources: in their order.
        names: of the structures.
    """
    import pydicom

    hd = _highdicom()
    headers = [pydicom.dcmread(source) for source in sources]
    array = np.moveaxis(masks.astype(np.uint8), 0, -1)
    volume = hd.Volume(array, TO_RAS @ affine, "PATIENT", channels={"SegmentNumber": list(range(1, len(masks) + 1))})
    described = [
        hd.seg.SegmentDescription(
            segment_number=number,
            segment_label=name,
            segmented_property_category=hd.sr.CodedConcept(*CATEGORY),
            segmented_property_type=hd.sr.CodedConcept(*TYPE),
            algorithm_type="AUTOMATIC",
            algorithm_identification=hd.AlgorithmIdentificationSequence(
                name=MAKER, version="1", family=hd.sr.CodedConcept("123109", "DCM", "Artificial Intelligence")
            ),
        )
        for number, name in enumerate(names, start=1)
    ]
    made = hd.seg.Segmentation(
        source_images=headers,
        pixel_array=volume,
        segmentation_type="BINARY",
        segment_descriptions=described,
        series_instance_uid=hd.UID(),
        series_number=1000,
        sop_instance_uid=hd.UID(),
        instance_number=1,
        manufacturer=MAKER,
        manufacturer_model_name=MAKER,
        software_versions="1",
        device_serial_number="1",
    )
    with atomic_path(path) as temporary:
        made.save_as(temporary)


def is_segmentation_of_ours(path: Path) -> bool:
    """Whether a file is a segmentation that we wrote; a link is of somebody else, wherever it leads."""
    import pydicom

    if path.is_symlink() or not path.is_file():
        return False
    try:
        return pydicom.dcmread(path, specific_tags=["Manufacturer"]).get("Manufacturer") == MAKER
    except (pydicom.errors.InvalidDicomError, OSError, ValueError):
        return False


def _reason(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
