"""DICOM series as a scanner writes them, from arrays of known values and geometry."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

MR = "1.2.840.10008.5.1.4.1.1.4"
TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def write_series(
    folder: Path,
    values: np.ndarray,
    affine: np.ndarray,
    *,
    patient: str,
    study: str = "",
    series: str = "",
    slope: float = 1.0,
    intercept: float = 0.0,
    without: Sequence[int] = (),
    **tags: Any,
) -> str:
    """Write values (X, Y, Z) on voxels with this affine to RAS, a file a slice, in no order; the series' uid.

    Args:
        slope, intercept: of what is stored: values = slope * stored + intercept, and stored are whole numbers.
        without: slices that are left out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    study, series = study or generate_uid(), series or generate_uid()
    lps = TO_LPS @ affine
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    axes = lps[:3, :3] / spacing
    frame = generate_uid()
    for place in range(values.shape[2]):
        if place in without:
            continue
        stored = np.round((values[:, :, place].T - intercept) / slope).astype(np.uint16)
        header = pydicom.Dataset()
        header.file_meta = pydicom.dataset.FileMetaDataset()
        header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        header.file_meta.MediaStorageSOPClassUID = header.SOPClassUID = MR
        header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID = generate_uid()
        header.PatientID, header.PatientName = patient, "Nobody^At^All"
        header.PatientBirthDate, header.PatientSex, header.PatientAge = "", "O", "045Y"
        header.StudyInstanceUID, header.SeriesInstanceUID, header.FrameOfReferenceUID = study, series, frame
        header.StudyDate, header.StudyTime, header.StudyID, header.AccessionNumber = "20260101", "120000", "1", "1"
        header.ReferringPhysicianName, header.Modality = "", "MR"
        header.SeriesNumber, header.InstanceNumber = 1, place + 1
        header.ImagePositionPatient = [float(value) for value in lps[:3, :3] @ [0, 0, place] + lps[:3, 3]]
        header.ImageOrientationPatient = [float(value) for value in (*axes[:, 0], *axes[:, 1])]
        header.PixelSpacing = [float(spacing[1]), float(spacing[0])]
        header.SliceThickness = float(spacing[2])
        header.Rows, header.Columns = stored.shape
        header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
        header.BitsAllocated, header.BitsStored, header.HighBit, header.PixelRepresentation = 16, 16, 15, 0
        header.RescaleSlope, header.RescaleIntercept = slope, intercept
        for name, value in tags.items():
            setattr(header, name, value)
        header.PixelData = stored.tobytes()
        # Names say nothing of the order.
        header.save_as(folder / f"{header.SOPInstanceUID[-8:]}.dcm", enforce_file_format=True)
    return series
