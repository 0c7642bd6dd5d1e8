"""`python -m scripts.enhancement IN OUT`: enhanced copies of a folder's pictures, each with a record beside it."""

from __future__ import annotations

import argparse
import hashlib
import io
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
from PIL import Image
from scripts.enhancement.search import enhanced
from scripts.errors import InputError
from scripts.files import read_json, write_bytes, write_json

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
RECORD = ".enhanced.json"  # behind the name of a picture
REMEDY = "remove it and run the command again"


def enhance_folder(source: Path, target: Path) -> tuple[int, int]:
    """Write PNG copies; pictures that need no mending are copied as they are. What is there already is kept.

    Returns:
        Pictures that were changed, and pictures that were kept from an earlier run.

    Raises:
        InputError: no picture, the same folder twice, or a picture that cannot be read.
    """
    if not source.is_dir():
        raise InputError(f"{source}: no such folder")
    if target.resolve() == source.resolve():
        raise InputError(f"{target}: is the folder of the pictures themselves; give another one")
    paths = sorted(path for path in source.iterdir() if path.suffix.lower() in ENDINGS)
    if not paths:
        raise InputError(f"{source}: no picture; looked for {', '.join(ENDINGS)}")
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    changed = kept = 0
    for path in paths:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        copy, record = target / f"{path.stem}.png", target / f"{path.stem}{RECORD}"
        if copy.is_file() and record.is_file() and read_json(record, remedy=REMEDY).get("source") == digest:
            kept += 1
            continue
        picture = _read(path)
        change = enhanced(picture)
        mended = change.apply(picture)
        image = io.BytesIO()
        Image.fromarray((mended * 255).round().astype(np.uint8)).save(image, "PNG")
        write_bytes(copy, image.getvalue())
        means = {"before": float(picture.mean()), "after": float(mended.mean())}
        write_json(record, {"source": digest, "change": asdict(change), "mean_brightness": means})
        changed += asdict(change) != {"brightness": 0.0, "contrast": 1.0, "gamma": 1.0}
    return changed, kept


def _read(path: Path) -> np.ndarray:
    try:
        with Image.open(path) as image:
            shown = image.convert("L" if image.mode in ("1", "L", "I;16") else "RGB")
            return np.asarray(shown, dtype=np.float32) / 255
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as a picture ({error})") from error


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m scripts.enhancement", description=__doc__)
    parser.add_argument("source", type=Path, help="folder of pictures")
    parser.add_argument("target", type=Path, help="folder that the copies go to")
    given = parser.parse_args()
    try:
        changed, kept = enhance_folder(given.source, given.target)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{changed} pictures enhanced, {kept} kept from an earlier run; {given.target}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
