"""CSV files beside ISIC images: lesion, patient, diagnosis, age, sex, site; and the two forms of labels."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from scripts.data.ages import plain_age
from scripts.data.ids import shown
from scripts.data.image_folder import is_hidden
from scripts.data.isic_files import by_plain_id, plain_id
from scripts.data.notices import counted, notice
from scripts.data.source import Record, check_ids, say_contradictions
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
DELIMITERS = (",", ";", "\t")
OTHER_PARTS = re.compile(r"(?:^|[_-])(?:validation|test)(?:[_-]|$)", re.IGNORECASE)
UNKNOWN = ("", "unknown", "nan", "na", "n/a", "n.a.", "none", "null", "nil", "-", "--", "?", ".")
PART3_CLASSES = ("melanoma", "seborrheic_keratosis")  # 2017: neither of the two is a nevus
PART3_REST = "nevus"


def read_table(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV file as text; each has `image_id` if the file has an image column.

    Cells are parted by comma, semicolon or tab. Known columns are found in any case and get the names of `COLUMNS`.

    Raises:
        InputError: no UTF-8 text, a column twice, or a row with more or fewer cells than the header.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text: byte {error.start}") from error
    rows = []
    reader = csv.reader(text.splitlines(), delimiter=_delimiter(text))
    header = _header(next(reader, []), path)
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


def _delimiter(text: str) -> str:
    """The sign that parts the header into the most cells; a comma where none does."""
    first = text.split("\n", 1)[0]
    return max(DELIMITERS, key=lambda sign: (len(next(csv.reader([first], delimiter=sign), [])), sign == ","))


def _header(cells: list[str], path: Path) -> list[str]:
    """Column names; known ones in lower case, class columns as they are written."""
    known = {*IMAGE_COLUMNS, *(name for names in COLUMNS.values() for name in names)}
    header = [name.strip().lower() if name.strip().lower() in known else name.strip() for name in cells]
    twice = next((name for name in header if name and header.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"{path}: column '{twice}' occurs twice")
    return header


def read_metadata(folders: Iterable[Path], records: Sequence[Record]) -> dict[str, dict[str, str]]:
    """What the CSV files of `folders` say of the images of `records`, under the names of `COLUMNS`.

    A table may name an image with its suffix, or in another case. Unknown values are left out.

    Raises:
        InputError: no image of a table is here, or a table gives one image two patients or lesions.
    """
    known = by_plain_id(record["image_id"] for record in records)
    found: dict[str, dict[str, str]] = {}
    odd_ages: list[str] = []
    for path in sorted(path for folder in folders if folder.is_dir() for path in folder.glob("*.csv")):
        if is_hidden(path.name):
            continue
        rows = [row for row in read_table(path) if "image_id" in row]
        matched = [(known[plain_id(row["image_id"])], row) for row in rows if plain_id(row["image_id"]) in known]
        if not rows:
            notice(f"{path}: has no row with an image id ({', '.join(IMAGE_COLUMNS)}), and is passed over")
        else:
            _say_matches(path, rows=rows, images={image for image, _ in matched}, known=len(known))
        for image_id, row in matched:
            _take(found.setdefault(image_id, {}), row, where=f"{path}: image '{image_id}'", odd_ages=odd_ages)
    if odd_ages:
        notice(f"metadata: {len(odd_ages)} ages are not understood and left out: {counted(odd_ages)}")
    return found


def _say_matches(path: Path, *, rows: list[dict[str, str]], images: set[str], known: int) -> None:
    """Refuse a table that names no image here; say how many rows or images have no counterpart."""
    if not images:
        if OTHER_PARTS.search(path.stem):
            # The table of an official part that is not in this folder, or whose truth was not published.
            notice(f"{path}: names images of another part of the data set alone, and is passed over")
            return
        raise InputError(
            f"{path}: none of its {len(rows)} rows names an image of the data set, such as '{rows[0]['image_id']}';"
            " correct the ids, or take the table out of the folder"
        )
    without, strange = known - len(images), len({plain_id(row["image_id"]) for row in rows}) - len(images)
    if without or strange:
        notice(f"{path}: {len(images)} of {known} images are named; {without} are not, {strange} names have no image")


def _take(known: dict[str, str], row: dict[str, str], *, where: str, odd_ages: list[str]) -> None:
    """Add the values of a row that are not known yet."""
    for key, columns in COLUMNS.items():
        value = next((row[name] for name in columns if name in row), "")
        if value.lower() in UNKNOWN:
            continue
        if key == "age":
            age = plain_age(value)
            if age is None:
                odd_ages.append(shown(value))
                continue
            value = str(age)
        if known.setdefault(key, value) != value and key in ("patient_id", "lesion_id"):
            raise InputError(f"{where} has two values of {key}: '{shown(known[key])}' and '{shown(value)}'")


def read_diagnoses(path: Path) -> dict[str, str]:
    """Class of each image from a `diagnosis` column, 2017 Part 3 columns or one-hot columns.

    Images whose diagnosis is blank are left out.

    Raises:
        InputError: a row names no class or several.
    """
    found: dict[str, str] = {}
    seen: set[str] = set()
    for number, row in enumerate(read_table(path), start=2):
        where = f"{path}, line {number}"
        if "image_id" not in row:
            raise InputError(f"{path}: no image column; expected one of {', '.join(IMAGE_COLUMNS)}")
        image_id = row.pop("image_id")
        if plain_id(image_id) in seen:
            raise InputError(f"{where}: image '{image_id}' is listed twice")
        seen.add(plain_id(image_id))
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
    check_ids(records, where="metadata")
    say_contradictions(records, where="metadata")
    return unit
