"""`python -m bundle check DIR`: what the Model Zoo, Hugging Face and a stranger ask of a bundle's folder."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from bundle.large_files import LIMIT, NAME, large_files
from monai.bundle import ConfigParser
from scripts.errors import InputError

NEEDED = ("LICENSE", "configs/metadata.json", "configs/inference.yaml", "models/model.pt", "docs/README.md")
ALSO = ("docs/data_license.txt", "models/README.md", "requirements.txt")
PERSONAL = re.compile(rb"/home/[a-z]|/Users/[A-Za-z]|[A-Z]:\\\\Users")
HEADER = ("library_name", "license", "tags")
MONAI_CHECKS = Path(__file__).with_name("monai_checks.py")
TEXTS = (".py", ".yaml", ".yml", ".json", ".md", ".txt", ".conf")


def check(bundle: str | Path, *, dataset_dir: str = "") -> list[str]:
    """The faults of a bundle, one line each; none where it can be handed on.

    Args:
        dataset_dir: folder of its data set, with which the training's properties are checked too.

    Raises:
        InputError: there is no such folder, or no config in it.
    """
    root = Path(bundle).expanduser().absolute()
    dataset_dir = str(Path(dataset_dir).expanduser().absolute()) if dataset_dir else ""
    if not (root / "configs").is_dir():
        raise InputError(f"{root}: holds no configs/; give the folder of a bundle")
    found = [f"{name}: is missing" for name in (*NEEDED, *ALSO) if not (root / name).is_file()]
    for part in (_metadata, _json_form, _twins, _pages, _places):
        found += part(root)
    whole = all((root / name).is_file() for name in NEEDED)
    return found + (_by_monai(root, dataset_dir) if whole else [])


def _metadata(root: Path) -> Iterator[str]:
    path = root / "configs" / "metadata.json"
    if not path.is_file():
        return
    content = json.loads(path.read_text(encoding="utf-8"))
    if content.get("version") not in content.get("changelog", {}):
        yield f"configs/metadata.json: changelog has no entry for version {content.get('version')}"
    if "schema" not in content:
        yield "configs/metadata.json: names no schema"


def _json_form(root: Path) -> Iterator[str]:
    """The Zoo's form: indented by four, keys as they are."""
    for path in sorted(root.rglob("*.json")):
        if path.parent.name == "models":  # records and digests, which are read by their bytes
            continue
        text = path.read_text(encoding="utf-8")
        if text != json.dumps(json.loads(text), indent=4, ensure_ascii=False) + "\n":
            yield f"{path.relative_to(root)}: is not in the form of json.dumps(..., indent=4)"


def _twins(root: Path) -> Iterator[str]:
    for path in sorted((root / "configs").glob("*.yaml")):
        twin = path.with_suffix(".json")
        if twin.is_file() and _loaded(path) != _loaded(twin):
            yield f"configs/{twin.name}: says another thing than {path.name}"


def _loaded(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = ConfigParser.load_config_files([str(path)])
    return content


def zoo_note(bundle: str | Path) -> str:
    """What the Model Zoo alone would ask for: large files are fetched from elsewhere there; empty where nothing."""
    root, listed = Path(bundle).expanduser().absolute(), set[str]()
    if (root / NAME).is_file():
        entries = yaml.safe_load((root / NAME).read_text(encoding="utf-8"))["large_files"]
        listed = {entry["path"] for entry in entries if entry.get("url") and entry.get("hash_val")}
    names = [path.relative_to(root).as_posix() for path in large_files(root)]
    lacking = [name for name in names if name not in listed]
    if not lacking:
        return ""
    return (
        f"{len(lacking)} files are larger than {LIMIT // 1024} kB and not in {NAME}, the first is {lacking[0]}; for the"
        " Model Zoo build with --url"
    )


def _pages(root: Path) -> Iterator[str]:
    path = root / "docs" / "README.md"
    if not path.is_file():
        return
    text = path.read_text(encoding="utf-8")
    matched = re.match(r"---\n(.*?)\n---\n", text, re.DOTALL)
    header = yaml.safe_load(matched[1]) if matched else {}
    for key in HEADER:
        if key not in header:
            yield f"docs/README.md: its header has no '{key}'"
    for line in commands(text):
        words = shlex.split(line)
        for word, value in zip(words, [*words[1:], ""], strict=True):
            if word == "--config_file" and not (root / value).is_file():
                yield f"docs/README.md: '{line}' names {value}, which is missing"


def commands(text: str) -> list[str]:
    """The command lines in a page's code blocks, in their order."""
    blocks = re.findall(r"```\w*\n(.*?)```", text, re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.startswith(("python ", "pip "))]


def _places(root: Path) -> Iterator[str]:
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_dir() and path.name in ("private", "eval", "__pycache__"):
            yield f"{name}: does not belong into a bundle"
        elif path.is_file() and path.suffix in TEXTS and PERSONAL.search(path.read_bytes()):
            yield f"{name}: names a folder of somebody's computer"


def _by_monai(root: Path, dataset_dir: str) -> list[str]:
    """What MONAI's own functions say, in a Python whose path holds the bundle alone."""
    with tempfile.TemporaryDirectory(prefix="bundle.") as scratch:
        line = [sys.executable, "-P", str(MONAI_CHECKS), str(root), scratch, dataset_dir]
        done = subprocess.run(line, cwd=root, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    try:
        found: list[str] = json.loads(done.stdout.splitlines()[-1])
    except (IndexError, json.JSONDecodeError):
        return [f"MONAI's checks ended with exit code {done.returncode}: {done.stderr.strip()[-500:]}"]
    return found
