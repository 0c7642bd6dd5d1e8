"""The set-up without make: the same packages in the same order, and mistakes in one line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from scripts.setup import interpreter, main, requirement_files


@pytest.fixture
def bundle(repository: Path, tmp_path: Path) -> Path:
    """A folder with the requirements, and an environment that is there already."""
    for path in repository.glob("requirements*.txt"):
        (tmp_path / path.name).write_text("")
    python = interpreter(tmp_path / ".venv")
    python.parent.mkdir(parents=True)
    python.touch()
    return tmp_path


def test_torch_comes_first(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    called: list[list[str]] = []
    assert main(["gpu", "dev"], root=bundle, run=lambda line: called.append(line) or 0) == 0
    files = ["requirements-gpu.txt", "requirements.txt", "requirements-dev.txt", "requirements-dicom.txt"]
    assert [Path(line[-1]).name for line in called] == files
    assert {line[0] for line in called} == {str(interpreter(bundle / ".venv"))}
    assert "-m scripts help" in capsys.readouterr().out


def test_it_is_what_make_installs(repository: Path) -> None:
    text = (repository / "Makefile").read_text().replace("$(TORCH)", "cpu")
    asked = [path.name for path in requirement_files(["dev"])]
    assert all(f"-r {name}" in text for name in asked) and asked[0] == "requirements-cpu.txt"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["gpus"], "error: 'gpus' is not understood; allowed: cpu or gpu, and dev\n"),
        (["cpu", "gpu"], "error: 'cpu gpu' is not understood; allowed: cpu or gpu, and dev\n"),
    ],
)
def test_other_words_are_refused(bundle: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words, root=bundle, run=lambda line: 1) == 2
    assert capsys.readouterr().err == said


def test_what_cannot_be_installed_is_named(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([], root=bundle, run=lambda line: 1) == 2
    assert capsys.readouterr().err.startswith("error: requirements-cpu.txt: could not be installed")
    (bundle / "requirements.txt").unlink()
    assert main([], root=bundle, run=lambda line: 0) == 2
    assert capsys.readouterr().err == f"error: {bundle}: holds no requirements.txt\n"


def test_a_new_environment_is_made(tmp_path: Path) -> None:
    for name in ("requirements-cpu.txt", "requirements.txt"):
        (tmp_path / name).write_text("")
    assert main([], root=tmp_path, run=lambda line: 0) == 0
    assert interpreter(tmp_path / ".venv").exists() and (os.name == "nt" or (tmp_path / ".venv" / "bin").is_dir())
