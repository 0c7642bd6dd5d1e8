"""What lies in a DICOM folder: series and segmentations by their headers; pixels are not loaded."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.data.dicom.series import Series, Slice
from scripts.data.image_folder import is_hidden
from scripts.errors import InputError

EXTRA = "DICOM needs pydicom, itk-io and highdicom: pip install -r requirements-dicom.txt"
SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"  # SOP class of DICOM SEG
TAGS = (
    "SOPClassUID StudyInstanceUID SeriesInstanceUID PatientID Modality ImagePositionPatient ImageOrientationPatient"
    " Rows Columns PixelSpacing NumberOfFrames SamplesPerPixel PatientSex PatientAge ReferencedSeriesSequence"
).split()
IDS = ("PatientID", "StudyInstanceUID", "SeriesInstanceUID")


@dataclass
class Index:
    """Series by SeriesInstanceUID, files of segmentations by the series that they are of, and counts of the rest.

    Attributes:
        others: series that are no stack of slices (a scout, a report): uid -> why.
        foreign: files that are no DICOM.
    """

    series: dict[str, Series] = field(default_factory=dict)
    masks: dict[str, list[str]] = field(default_factory=dict)
    others: dict[str, str] = field(default_factory=dict)
    foreign: list[str] = field(default_factory=list)


def read_index(folder: Path) -> Index:
    """The index of a folder, subfolders included.

    Raises:
        InputError: pydicom is not installed; a file lacks an id; a series with two patients or studies; a link that
            leads out of the folder.
    """
    found = Index()
    files: dict[str, list[tuple[str, Any]]] = {}
    for path in _files(folder):
        header = _header(path)
        if header is None:
            found.foreign.append(path)
        elif header.get("SOPClassUID") == SEGMENTATION:
            found.masks.setdefault(_segmented(header, path), []).append(path)
        else:
            files.setdefault(_ids(header, path)[2], []).append((path, header))
    for uid, own in sorted(files.items()):
        if why := _no_volume(own):
            found.others[uid] = why
        else:
            found.series[uid] = _series(own)
    return found


def _files(folder: Path) -> Iterator[str]:
    root = folder.resolve()
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        for name in sorted(names):
            path = Path(parent) / name
            if is_hidden(name) or name.upper() == "DICOMDIR":
                continue
            if not path.resolve().is_relative_to(root):
                raise InputError(f"{path}: is a link that leads out of {folder}; files must stay inside it")
            yield str(path)


def _header(path: str) -> Any:
    """The header of a file, without its pixels; None where it is no DICOM."""
    try:
        import pydicom
    except ImportError as error:
        raise InputError(EXTRA) from error
    try:
        return pydicom.dcmread(path, stop_before_pixels=True, specific_tags=TAGS)
    except pydicom.errors.InvalidDicomError:
        return None
    except Exception as error:  # a damaged header can raise nearly anything; the operator must read the file's name
        raise InputError(f"{path}: not a readable DICOM file ({type(error).__name__}: {error})") from error


def _ids(header: Any, path: str) -> tuple[str, str, str]:
    # DICOM pads texts to an even length: blanks at their ends mean nothing.
    values = [str(header.get(name) or "").strip() for name in IDS]
    for name, value in zip(IDS, values, strict=True):
        if not value:
            raise InputError(f"{path}: has no {name}; without it nobody can be found in it")
    return values[0], values[1], values[2]


def _segmented(header: Any, path: str) -> str:
    referenced = header.get("ReferencedSeriesSequence") or []
    if len(referenced) != 1:
        raise InputError(f"{path}: is a segmentation of {len(referenced)} series; allowed is one of one series")
    return str(referenced[0].SeriesInstanceUID)


def _no_volume(own: list[tuple[str, Any]]) -> str:
    """Why the files of a series are no stack of slices; empty where they are."""
    for _, header in own:
        if int(header.get("NumberOfFrames") or 1) > 1:
            return "several frames in one file"
        if not header.get("ImagePositionPatient") or not header.get("ImageOrientationPatient"):
            return "no place in the patient"
        if int(header.get("SamplesPerPixel") or 1) != 1:
            return "colours"
    return ""


def _series(own: list[tuple[str, Any]]) -> Series:
    first_path, first = own[0]
    ids = _ids(first, first_path)
    for path, header in own[1:]:
        other = _ids(header, path)
        for name, mine, theirs in zip(IDS, ids, other, strict=True):
            if mine != theirs:
                raise InputError(
                    f"{path}: has {name} '{theirs}', other files of series {ids[2]} have '{mine}'; a series is of one"
                    " patient and one study"
                )
    slices = tuple(
        Slice(
            path=path,
            position=tuple(float(value) for value in header.ImagePositionPatient),
            axes=tuple(float(value) for value in header.ImageOrientationPatient),
            grid=(int(header.Rows), int(header.Columns)),
            spacing=(float(header.PixelSpacing[0]), float(header.PixelSpacing[1])),
        )
        for path, header in own
    )
    return Series(*ids, str(first.get("Modality", "")), slices, str(first.get("PatientSex") or ""), _age(first))


def _age(header: Any) -> str:
    return str(header.get("PatientAge") or "")
