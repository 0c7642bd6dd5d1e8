"""The image, as far as it can be tried without a daemon: a linter, and its steps one by one in a folder."""

from __future__ import annotations

import fnmatch
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def instructions(text: str) -> list[tuple[str, str]]:
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.split(" ", 1)[0], line.split(" ", 1)[1]) for line in lines]


@pytest.fixture
def image(repository: Path, tmp_path: Path) -> Path:
    """The folder that the image's COPY instructions make, with what .dockerignore leaves of the repository."""
    kept = [line for line in (repository / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for name, rest in instructions((repository / "Dockerfile").read_text()):
        if name != "COPY":
            continue
        *sources, target = rest.split()
        for source in sources:
            assert any(fnmatch.fnmatch(source, pattern[1:]) for pattern in kept), f"{source} is ignored"
            place = tmp_path / (source if target == "./" else target)
            if (repository / source).is_dir():
                shutil.copytree(repository / source, place, ignore=shutil.ignore_patterns("__pycache__", "private"))
            else:
                shutil.copy(repository / source, place)
    return tmp_path


def test_a_linter_finds_nothing(repository: Path) -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, repository / "Dockerfile"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_it_installs_what_make_installs(repository: Path) -> None:
    steps = [rest for name, rest in instructions((repository / "Dockerfile").read_text()) if name == "RUN"]
    installed = [word for step in steps for word in step.split() if word.endswith(".txt")]
    assert installed == ["requirements-cpu.txt", "requirements.txt"]
    makefile = (repository / "Makefile").read_text()
    assert "$(PIPGET) -r requirements-$(TORCH).txt\n\t$(PIPGET) -r requirements.txt" in makefile


@pytest.mark.slow
def test_its_entry_point_runs_there(image: Path, repository: Path) -> None:
    given = dict(instructions((repository / "Dockerfile").read_text()))
    entry, default = json.loads(given["ENTRYPOINT"]), json.loads(given["CMD"])
    assert entry[0] == "python"
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}

    def run(*words: str) -> str:
        line = [sys.executable, *entry[1:], *words]
        done = subprocess.run(line, cwd=image, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    assert "  forget " in run(*default)
    run("forget", "--max_rounds", "1", "--min_rounds", "1", "--output_dir", "run", "--near_duplicates", "false")
    assert (image / "run" / "release" / "student.pt").is_file()
