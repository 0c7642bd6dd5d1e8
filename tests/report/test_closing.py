"""What a command says at its end: the next one, as it can be typed."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
from scripts.report.closing import closing, next_command
from scripts.settings.command_line import CommandLine, read_command_line
from scripts.settings.given import Settings


def line(*words: str) -> CommandLine:
    return read_command_line(["monai.bundle", "run", *words])


@pytest.mark.parametrize(
    ("workflow", "words", "found"),
    [
        ("train", [], "run prepare --config_file configs/prepare.yaml"),
        ("prepare", [], "run unlearn --config_file configs/unlearn.yaml --request request.csv"),
        ("restore", ["--request", "r.csv"], "run evaluate --config_file configs/evaluate.yaml --request r.csv"),
        ("evaluate", ["--output_dir", "run"], "run references --config_file configs/references.yaml --output_dir run"),
        (
            "verify",
            ["--request", "r.csv"],
            "run commit --config_file configs/commit.yaml --request r.csv --key_dir KEYS",
        ),
        ("unlearn", [], "run references --config_file configs/references.yaml"),
        ("unlearn", ["--goal", "suppress"], ""),
        ("revert", [], ""),
    ],
)
def test_what_follows(workflow: str, words: list[str], found: str) -> None:
    given = line(workflow, "--config_file", f"configs/{workflow}.yaml", *words)
    made = next_command(workflow, given, after_forget="evaluate")
    assert made == (f"python -m monai.bundle {found}" if found else "")


def test_options_that_the_next_one_takes_go_along_and_it_reads_them_as_they_were() -> None:
    given = line(
        *("forget", "--config_file", "['configs/forget.yaml','configs/chase.yaml']", "--dataset_dir", "my data"),
        *("--request", "r.csv", "--max_rounds", "3", "--progress"),
    )
    command = next_command("forget", given, after_forget="restore")
    words = shlex.split(command)
    again = read_command_line(words[2:])
    assert again.config_files == ("configs/restore.yaml", "configs/chase.yaml")
    assert again.options == {"dataset_dir": "my data", "request": "r.csv", "progress": None}


def test_places_are_named(tmp_path: Path) -> None:
    values: dict[str, Any] = {"model_dir": "models"}
    own = line("forget", "--config_file", "configs/forget.yaml")
    lines = closing("forget", own, settings=Settings("forget", values), folder=tmp_path, after_forget="evaluate")
    assert lines[0].split() == ["student", str(tmp_path / "release" / "student.pt")]
    assert "not erased" in lines[1] and lines[2].split()[0] == "next"
