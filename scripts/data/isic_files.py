"""Official folder names of the ISIC challenges 2016 to 2019, and the pictures in them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from scripts.data.image_folder import is_hidden
from scripts.data.notices import counted, notice
from scripts.data.source import nearest_known
from scripts.errors import InputError

SUFFIXES = (".jpg", ".jpeg", ".png")
READ = (*SUFFIXES, ".csv", ".txt")  # tables are read elsewhere, and licences come with the archives


@dataclass(frozen=True)
class Part:
    """One official split: folder of the images, and folder or CSV of their truth."""

    split: str
    images: str
    truth: str


def _parts(images: str, truth: str, *, test: str = "Test") -> tuple[Part, ...]:
    names = (("train", "Training"), ("validation", "Validation"), ("test", test))
    return tuple(Part(split, images.format(name), truth.format(name)) for split, name in names)


SEGMENTATION = {
    "2016": _parts("ISBI2016_ISIC_Part1_{}_Data", "ISBI2016_ISIC_Part1_{}_GroundTruth"),
    "2017": _parts("ISIC-2017_{}_Data", "ISIC-2017_{}_Part1_GroundTruth", test="Test_v2"),
    "2018": _parts("ISIC2018_Task1-2_{}_Input", "ISIC2018_Task1_{}_GroundTruth"),
}
CLASSIFICATION = {
    "2017": _parts("ISIC-2017_{}_Data", "ISIC-2017_{}_Part3_GroundTruth.csv", test="Test_v2"),
    "2018": _parts("ISIC2018_Task3_{}_Input", "ISIC2018_Task3_{}_GroundTruth.csv"),
    "2019": _parts("ISIC_2019_{}_Input", "ISIC_2019_{}_GroundTruth.csv"),
    "labels": (Part("train", "ISIC2018_Task1-2_Training_Input", "labels.csv"),),
}


def find_truth(folder: Path, part: Part) -> Path | None:
    """The truth of a part: beside its images, or, for a CSV, in the folder that the official archive makes."""
    direct = folder / part.truth
    nested = folder / part.truth.removesuffix(".csv") / part.truth
    return next((path for path in (direct, nested) if path.exists()), None)


def find_year(folder: Path, layouts: dict[str, tuple[Part, ...]]) -> list[tuple[Part, Path]]:
    """The parts of the one layout in `folder` with their truth; a held-out part without truth is left aside.

    Raises:
        InputError: no layout, several, or training images without their truth.
    """
    years = [year for year, parts in layouts.items() if (folder / parts[0].images).is_dir()]
    with_truth = [year for year in years if find_truth(folder, layouts[year][0]) is not None]
    if not years:
        wanted = ", ".join(parts[0].images for parts in layouts.values())
        raise InputError(f"{folder}: no official training folder; expected one of {wanted}")
    if not with_truth:
        parts = layouts[years[0]]
        raise InputError(f"{folder}: {parts[0].images} is there, but its truth {parts[0].truth} is missing")
    for year in years:
        if year not in with_truth:
            notice(f"{folder}: {layouts[year][0].images} is there without its truth, and is passed over")
    if len(with_truth) > 1:
        found = ", ".join(layouts[year][0].truth for year in with_truth)
        raise InputError(f"{folder}: holds several data sets that share images ({found}); give each its own folder")
    found_parts = ((part, find_truth(folder, part)) for part in layouts[with_truth[0]])
    return [(part, truth) for part, truth in found_parts if truth is not None and (folder / part.images).is_dir()]


def pictures(folder: Path) -> dict[str, Path]:
    """Image id to file, also one folder down (as the 2019 archive unpacks); superpixel files are passed over."""
    nested = folder / folder.name
    files = sorted((nested if nested.is_dir() else folder).iterdir())
    hidden = [path.name for path in files if is_hidden(path.name)]
    if hidden:
        notice(f"{folder}: {len(hidden)} hidden files or folders are passed over: {counted(hidden)}")
    odd = [_kind(path) for path in files if not is_hidden(path.name) and path.suffix.lower() not in READ]
    if odd:
        notice(f"{folder}: {len(odd)} entries are no pictures of the data set and are passed over: {counted(odd)}")
    found: dict[str, Path] = {}
    for path in files:
        if is_hidden(path.name):
            continue
        if path.suffix.lower() not in SUFFIXES or path.stem.endswith("_superpixels"):
            continue
        if path.stem in found:
            raise InputError(f"{path}: image id '{path.stem}' occurs twice, also as {found[path.stem].name}")
        found[path.stem] = path
    return found


def _kind(path: Path) -> str:
    return "a folder" if path.is_dir() else path.suffix.lower() or path.name


def plain_id(text: str) -> str:
    """What an image id in a table and the name of its file have in common: folder, suffix and case left aside."""
    name = text.strip().replace("\\", "/").rsplit("/", 1)[-1]
    suffix = next((suffix for suffix in SUFFIXES if name.lower().endswith(suffix)), "")
    return name[: len(name) - len(suffix)].casefold()


def by_plain_id(image_ids: Iterable[str]) -> dict[str, str]:
    """`plain_id` -> image id."""
    return {plain_id(image_id): image_id for image_id in image_ids}


def picture_of(image_id: str, files: dict[str, Path], *, where: str) -> Path:
    """The file of an image id that a CSV names, with or without suffix and in any case."""
    if image_id in files:
        return files[image_id]
    known = by_plain_id(files)
    if plain_id(image_id) not in known:
        raise InputError(f"{where}: image '{image_id}' has no file; nearest: {nearest_known(image_id, files)}")
    return files[known[plain_id(image_id)]]
