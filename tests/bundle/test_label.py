"""What install-label makes, but for the packages: no pip is started here; tests/server uses the whole."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from bundle import label
from bundle.__main__ import main


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """An environment that counts as installed, with Label's sample app in it."""
    app = tmp_path / "label"
    sample = app / ".venv" / "monailabel" / "sample-apps" / label.APP
    sample.mkdir(parents=True)
    (sample / "main.py").write_text("")
    (app / ".venv" / ".label-installed").touch()
    return app


def test_bundles_lie_where_the_server_looks(installed: Path, retina_bundle: Path) -> None:
    script = label.install(installed, [retina_bundle])
    place = installed / label.APP / "model" / retina_bundle.name
    assert (place / "configs" / "train.json").is_file() and not place.is_symlink()
    text = script.read_text()
    assert f"--conf models {retina_bundle.name} " in text and "--host 127.0.0.1" in text and os.access(script, os.X_OK)
    done = subprocess.run(["sh", str(script)], capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr == "error: give the folder of the images: start.sh STUDIES\n"


def test_a_second_call_renews_the_bundle_and_keeps_what_was_trained(installed: Path, retina_bundle: Path) -> None:
    label.install(installed, [retina_bundle])
    place = installed / label.APP / "model" / retina_bundle.name
    (place / "models" / "label").mkdir()
    (place / "models" / "label" / "model.pt").write_bytes(b"trained here")
    (place / "scripts" / "old.py").write_text("")
    label.install(installed, [retina_bundle])
    assert (place / "models" / "label" / "model.pt").read_bytes() == b"trained here"
    assert not (place / "scripts" / "old.py").exists()


def test_a_folder_that_is_no_bundle_is_refused(
    installed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["install-label", "--app", str(installed), "--bundle", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"error: --bundle: {tmp_path}: holds no configs/metadata.json") and said.count("\n") == 1
    assert not (installed / label.APP).exists()


def test_what_stands_in_for_torchvision_imports_what_is_asked_of_it(tmp_path: Path) -> None:
    for name, text in label.STAND_INS.items():
        (tmp_path / "torchvision" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "torchvision" / name).write_text(text)
    asked = [
        "from torchvision.utils import make_grid, save_image",
        "from torchvision import io as torchvision_io",
        "from torchvision.transforms import InterpolationMode",
        "from torchvision.transforms.functional import pil_to_tensor",
        "assert InterpolationMode.BICUBIC",
    ]
    subprocess.run([sys.executable, "-S", "-c", "; ".join(asked)], cwd=tmp_path, check=True)
