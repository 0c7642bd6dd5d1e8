"""CSV files beside ISIC images: lesion, patient, diagnosis, age, sex, site; and the two forms of labels."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

from scripts.data.source import Record
from scripts.errors import InputError

IMAGE_COLUMNS = ("image_id", "isic_id", "image_name", "image")
COLUMNS = {
    "patient_id": ("patient_id",),
    "lesion_id": ("lesion_id",),
    "diagnosis": ("diagnosis", "dx"),
    "age": ("age_approx", "age_approximate", "age"),
    "sex": ("sex",),
    "site": ("anatom_site_general", "localization", "site"),
}
UNKNOWN = ("", "unknown", "nan", "na", "none")
PART3_CLASSES = ("melanoma", "seborrheic_keratosis")  # 2017: neither of the two is a nevus
PART3_REST = "nevus"


def read_table(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV file as text, columns in lower case; each has `image_id` if the file has an image column."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text: byte {error.start}") from error
    rows = []
    reader = csv.reader(text.splitlines())
    header = [name.strip() for name in next(reader, [])]
    image = next((header.index(name) for name in IMAGE_COLUMNS if name in header), None)
    for cells in reader:
        if not any(cells):
            continue
        if len(cells) != len(header):
            raise InputError(f"{path}, line {reader.line_num}: {len(cells)} cells where the header has {len(header)}")
        row = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
        if image is not None:
            row = {"image_id": cells[image].strip(), **{k: v for k, v in row.items() if k not in IMAGE_COLUMNS}}
        rows.append(row)
    return rows


def read_metadata(folders: Iterable[Path]) -> dict[str, dict[str, str]]:
    """What the CSV files of `folders` say of each image, under the names of `COLUMNS`; unknown values are left out."""
    found: dict[str, dict[str, str]] = {}
    for path in sorted(path for folder in folders if folder.is_dir() for path in folder.glob("*.csv")):
        for row in read_table(path):
            if "image_id" not in row:
                break
            known = found.setdefault(row["image_id"], {})
            for key, columns in COLUMNS.items():
                value = next((row[name] for name in columns if name in row), "")
                if value.lower() not in UNKNOWN:
                    known.setdefault(key, value)
    return found


def read_diagnoses(path: Path) -> dict[str, str]:
    """Class of each image from a `diagnosis` column, 2017 Part 3 columns or one-hot columns.

    Images whose diagnosis is blank are left out.

    Raises:
        InputError: a row names no class or several.
    """
    found: dict[str, str] = {}
    for number, row in enumerate(read_table(path), start=2):
        where = f"{path}, line {number}"
        if "image_id" not in row:
            raise InputError(f"{path}: no image column; expected one of {', '.join(IMAGE_COLUMNS)}")
        image_id = row.pop("image_id")
        if image_id in found:
            raise InputError(f"{where}: image '{image_id}' is listed twice")
        name = row["diagnosis"] if "diagnosis" in row else _hot(row, where=where)
        if name.lower() not in UNKNOWN:
            found[image_id] = name
    return found


def _hot(row: dict[str, str], *, where: str) -> str:
    try:
        hot = [name for name, value in row.items() if float(value) == 1.0]
        clean = all(float(value) in (0.0, 1.0) for value in row.values())
    except ValueError as error:
        raise InputError(f"{where}: a class column holds a value that is no number: {error}") from error
    if clean and not hot and tuple(row) == PART3_CLASSES:
        return PART3_REST
    if not clean or len(hot) != 1:
        raise InputError(
            f"{where}: exactly one class column must be 1 and the others 0; here: {', '.join(hot) or 'none'}"
        )
    return hot[0]


def group(records: list[Record], metadata: dict[str, dict[str, str]]) -> str:
    """Add metadata and `patient_id` to records in place; return the unit: patient, lesion or image.

    The unit is the patient where the metadata know one, else the lesion, else the image. An image without a patient
    id belongs to the patient that its lesion has elsewhere.
    """
    owner: dict[str, str] = {}
    for record in records:
        for key, value in metadata.get(record["image_id"], {}).items():
            record.setdefault(key, value)
        lesion, patient = record.get("lesion_id"), record.get("patient_id")
        if lesion and patient and owner.setdefault(lesion, patient) != patient:
            raise InputError(
                f"lesion '{lesion}' belongs to two patients in the metadata: '{owner[lesion]}', '{patient}'"
            )
    unit = "image"
    for record in records:
        lesion = record.get("lesion_id", "")
        if "patient_id" in record or lesion in owner:
            unit = "patient"
        elif lesion and unit == "image":
            unit = "lesion"
        record.setdefault("patient_id", owner.get(lesion, lesion) or record["image_id"])
    return unit
