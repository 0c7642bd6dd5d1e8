"""MONAI Label in an environment of its own, with bundles that its clients find."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import venv
from collections.abc import Sequence
from pathlib import Path

from scripts.errors import InputError
from scripts.files import write_text
from scripts.setup import interpreter

ROOT = Path(__file__).resolve().parents[1]
# Of these Label's own pins exclude what the bundle needs, so they come without them.
ALONE = ("monailabel==0.8.5", "pydicom-seg==0.4.1")
APP = "monaibundle"  # Label's sample app for bundles
NOT_COPIED = shutil.ignore_patterns("__pycache__", "*.pyc", ".*", "eval")
# What Label, and transformers below peft, import of torchvision; no bundle of ours uses it.
_NOT_HERE = """def {0}(*args, **settings):
    raise NotImplementedError("torchvision is not installed")
"""
STAND_INS = {
    "__init__.py": "from . import io, transforms, utils\n",
    "io.py": "",
    "utils.py": _NOT_HERE.format("make_grid") + "\n\nsave_image = make_grid\n",
    "transforms/__init__.py": """from enum import Enum

from . import functional

InterpolationMode = Enum("InterpolationMode", "NEAREST NEAREST_EXACT BILINEAR BICUBIC BOX HAMMING LANCZOS")
""",
    "transforms/functional.py": _NOT_HERE.format("pil_to_tensor"),
}


def install(
    app: str | Path, bundles: Sequence[str | Path], *, torch: str = "cpu", vision: bool = True, root: Path = ROOT
) -> Path:
    """Make `app` a folder from which a Label server starts; returns the script that starts it.

    It holds `.venv`, Label's app with copies of the bundles, and `start.sh`. A second call renews the bundles.

    Args:
        torch: "cpu" or "gpu": which `requirements-*.txt` brings torch.
        vision: whether torchvision is installed; without it stand-ins take the place of two functions of it.

    Raises:
        InputError: a folder that is no bundle, or a package that cannot be installed.
    """
    target = Path(app).expanduser().absolute()
    names = {folder.name: folder for folder in (Path(one).expanduser().absolute() for one in bundles)}
    for folder in names.values():
        for file in ("configs/metadata.json", "configs/train.yaml", "models/model.pt"):
            if not (folder / file).is_file():
                raise InputError(f"--bundle: {folder}: holds no {file}; build one with python -m bundle build")
    _environment(target / ".venv", torch=torch, vision=vision, root=root)
    samples = target / ".venv" / "monailabel" / "sample-apps" / APP
    if not samples.is_dir():
        raise InputError(f"{samples}: is missing; remove {target / '.venv'} and call again")
    own = target / APP
    if not own.is_dir():
        shutil.copytree(samples, own, ignore=NOT_COPIED)
    for name, folder in names.items():
        place = own / "model" / name
        if place.is_dir():
            # Models that were trained there, and runs, stay.
            for part in ("configs", "scripts"):
                shutil.rmtree(place / part)
        shutil.copytree(folder, place, dirs_exist_ok=True, ignore=NOT_COPIED)
    return _start_script(target, sorted(path.name for path in (own / "model").iterdir() if path.is_dir()))


def _environment(folder: Path, *, torch: str, vision: bool, root: Path) -> None:
    stamp = folder / ".label-installed"
    files = [root / name for name in (f"requirements-{torch}.txt", "requirements.txt", "requirements-label.txt")]
    if stamp.is_file() and stamp.stat().st_mtime >= max(file.stat().st_mtime for file in files):
        return
    if not (folder / "pyvenv.cfg").is_file():
        venv.create(folder, with_pip=True)
    for file in files:
        _pip(folder, "-r", str(file))
    _pip(folder, "--no-deps", *ALONE)
    if vision:
        _pip(folder, "torchvision")
    else:
        for name, text in STAND_INS.items():
            write_text(_packages(folder) / "torchvision" / name, text)
    stamp.touch()


def _packages(folder: Path) -> Path:
    code = "import sysconfig; print(sysconfig.get_paths()['purelib'])"
    found = subprocess.run([interpreter(folder), "-c", code], capture_output=True, text=True, check=True)
    return Path(found.stdout.strip())


def _pip(folder: Path, *words: str) -> None:
    line = [str(interpreter(folder)), "-m", "pip", "--disable-pip-version-check", "install", "--quiet", *words]
    print("pip install", *(os.path.basename(word) for word in words), flush=True)
    if subprocess.run(line, stdin=subprocess.DEVNULL).returncode != 0:
        raise InputError(f"pip install {' '.join(words)}: failed; see above, and call again: what is there stays")


def _start_script(target: Path, names: Sequence[str]) -> Path:
    own, python = target / APP, interpreter(target / ".venv")
    words = [str(python), "-m", "monailabel.main", "start_server", "--app", str(own)]
    conf = ["--conf", "models", ",".join(names), "--conf", "zoo_source", "local", "--conf", "sam2", "false"]
    script = target / "start.sh"
    lines = [
        "#!/bin/sh",
        "# Starts MONAI Label: start.sh STUDIES [further options of monailabel start_server], such as --port 8000.",
        "studies=$1",
        '[ -n "$studies" ] || { echo "error: give the folder of the images: start.sh STUDIES" >&2; exit 2; }',
        "shift",
        # Label starts trainings by the first python on the path, and reads PYTHONPATH.
        f"export PATH={shlex.quote(str(python.parent))}:$PATH PYTHONPATH={shlex.quote(str(own))}",
        f'exec {shlex.join(words)} --studies "$studies" {shlex.join(conf)} --host 127.0.0.1 "$@"',
    ]
    write_text(script, "\n".join(lines) + "\n")
    script.chmod(0o755)
    return script
