"""The pictures and NIfTI files of a folder that are to be segmented, and a name of its own for the mask of each."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from scripts.data.notices import counted, notice
from scripts.data.pictures import PICTURES
from scripts.data.volumes import VOLUMES, is_volume
from scripts.errors import InputError

SUFFIXES = PICTURES + VOLUMES
COMPANIONS = ("__macosx",)  # what archives made on a Mac hold beside the data
MASK_SUFFIXES = {False: (".png",), True: (".nii.gz", ".nii")}  # is it a volume -> how its mask may be stored


def is_hidden(name: str) -> bool:
    """Whether a file or folder belongs to the computer and not to the data: `._a.png`, `.ipynb_checkpoints`."""
    return name.startswith(".") or name.lower() in COMPANIONS


@dataclass
class Listing:
    """What lies in a folder, sorted by path.

    Attributes:
        images: pictures and NIfTI files.
        hidden, linked, other: names of what is passed over.
        outputs: how many files lie in the folder of the masks.
    """

    images: list[Path] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    linked: list[str] = field(default_factory=list)
    other: list[str] = field(default_factory=list)
    outputs: int = 0


def listing(dataset_dir: str | Path, *, output_dir: str | Path = "") -> Listing:
    """The images below `dataset_dir`; what lies in `output_dir` is no input.

    Raises:
        InputError: no such folder, a link leads out of it, or `output_dir` is the folder itself or holds it.
    """
    if not str(dataset_dir):
        raise InputError("dataset_dir: is empty; it must name a folder of images")
    folder = Path(dataset_dir).expanduser()
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; --dataset_dir must name a folder of images")
    root, written = folder.resolve(), Path(output_dir).expanduser().resolve() if output_dir else None
    if written is not None and root.is_relative_to(written):
        raise InputError(f"output_dir: {output_dir} is or holds the folder of the images {folder}; name another folder")
    found = Listing()
    for path in _walk(folder, written, found):
        if path.is_symlink() and not path.resolve().is_relative_to(root):
            raise InputError(f"{path}: the link leads out of {folder}; links must stay inside it")
        if path.name.lower().endswith(SUFFIXES):
            found.images.append(path)
        else:
            found.other.append(path.suffix.lower() or path.name)
    found.images.sort(key=str)
    return found


def _walk(folder: Path, written: Path | None, found: Listing) -> Iterator[Path]:
    """Files below `folder`, without hidden ones, links to folders and the folder of the masks."""
    for place, folders, files in os.walk(folder, onerror=_unreadable):
        here = Path(place)
        for name in list(folders):
            path = here / name
            if is_hidden(name):
                found.hidden.append(name)
            elif written is not None and path.resolve() == written:
                found.outputs += sum(len(names) for _, _, names in os.walk(path))
            elif path.is_symlink():
                if not path.resolve().is_relative_to(folder.resolve()):
                    raise InputError(f"{path}: the link leads out of {folder}; links must stay inside it")
                found.linked.append(name)
            else:
                continue
            folders.remove(name)
        for name in files:
            if is_hidden(name):
                found.hidden.append(name)
            else:
                yield here / name


def _unreadable(error: OSError) -> None:
    """What `os.walk` would pass over in silence."""
    raise InputError(f"{os.fsdecode(error.filename)}: the folder cannot be read ({error.strerror})") from error


def report(found: Listing, *, folder: str | Path) -> None:
    """One printed line for each kind of thing that is passed over, with how many there are."""
    if found.hidden:
        notice(f"{folder}: {len(found.hidden)} hidden files or folders are passed over: {counted(found.hidden)}")
    if found.linked:
        notice(f"{folder}: {len(found.linked)} links to folders inside it are not followed: {counted(found.linked)}")
    if found.other:
        number = len(found.other)
        notice(f"{folder}: {number} files are neither pictures nor NIfTI files, passed over: {counted(found.other)}")
    if found.outputs:
        notice(f"{folder}: {found.outputs} files in output_dir are no inputs")


def mask_names(
    images: Sequence[Path], *, dataset_dir: str | Path, postfix: str, extension: str = ""
) -> dict[str, Path]:
    """Path of each image -> path of its mask below the output folder; no two are the same on any file system.

    `a.png` gives `a_<postfix>.png`, a volume `a_<postfix>.nii.gz`. Where two images of one folder share their name,
    the masks keep the suffix: `a.png_<postfix>.png`, `a.jpg_<postfix>.png`.

    Args:
        extension: of the masks of that kind of image which it fits; empty, or of the other kind: .png or .nii.gz.
    """
    folder = Path(dataset_dir).expanduser()
    shared: dict[str, int] = {}
    for path in images:
        key = _folded(str(path.parent / _stem(path)))
        shared[key] = shared.get(key, 0) + 1
    names: dict[str, Path] = {}
    taken: set[str] = set()
    for path in images:
        own = path.name if shared[_folded(str(path.parent / _stem(path)))] > 1 else _stem(path)
        ending = _ending(path, extension)
        place, number, name = path.parent.relative_to(folder), 1, own
        while _folded(str(place / name)) in taken:
            number += 1
            name = f"{own}_{number}"
        taken.add(_folded(str(place / name)))
        names[str(path)] = place / f"{name}{'_' if postfix else ''}{postfix}{ending}"
    return names


def check_extension(extension: str) -> str:
    """The suffix of the masks; empty takes PNG for pictures and .nii.gz for volumes.

    Raises:
        InputError: no suffix that holds a mask without loss.
    """
    allowed = [suffix for kinds in MASK_SUFFIXES.values() for suffix in kinds]
    if extension and extension not in allowed:
        raise InputError(f"output_ext: '{extension}' is not one of {', '.join(allowed)}, or empty for the image's kind")
    return extension


def _ending(path: Path, extension: str) -> str:
    allowed = MASK_SUFFIXES[is_volume(path)]
    return extension if extension in allowed else allowed[0]


def _stem(path: Path) -> str:
    suffix = next(suffix for suffix in sorted(SUFFIXES, key=len, reverse=True) if path.name.lower().endswith(suffix))
    return path.name[: -len(suffix)]


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()
