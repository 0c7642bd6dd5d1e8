"""`python -m scripts`: MONAI's command with the config files found, and a page of all of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from scripts.__main__ import CONFIGS, command, main
from scripts.errors import InputError
from scripts.settings.workflows import WORKFLOWS


def test_a_workflow_and_its_overlays_become_config_files(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("epochs: 3\n")
    words = command(["forget", "--overlay", "chase", "--request", "r.csv", f"--overlay={own}"])
    files = [str(CONFIGS / "forget.yaml"), str(CONFIGS / "chase.yaml"), str(own)]
    assert words == ["run", "forget", "--config_file", str(files), "--request", "r.csv"]
    assert command(["infer"]) == ["run", "infer", "--config_file", str(CONFIGS / "inference.yaml")]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["forgt"], "'forgt' is no workflow; did you mean 'forget'?"),
        (["chase"], "'chase' is no workflow"),
        (
            ["forget", "--overlay", "chas"],
            "--overlay: 'chas' is neither a file nor one of configs/; did you mean 'chase'?",
        ),
        (["forget", "--overlay"], "--overlay: '' is neither a file"),
    ],
)
def test_a_mistake_is_one_line(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError):
        command(words)
    assert main(words) == 2
    found = capsys.readouterr().err
    assert found.startswith(f"error: {said}") and found.count("\n") == 1


@pytest.mark.parametrize("words", [[], ["help"], ["forget", "--help"]])
def test_one_screen_shows_them_all(
    words: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    assert main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    named = {line.split()[0] for line in lines if line.startswith("  ")}
    assert set(WORKFLOWS) | {"chase", "isic", "datalist", "foreign"} <= named and "help" not in named
    # A terminal window has about fifty lines.
    assert len(lines) <= 48 and max(map(len, lines[:-3])) <= 100


@pytest.mark.slow
def test_the_same_page_by_monai_and_a_workflow_from_elsewhere(repository: Path, tmp_path: Path) -> None:
    line = [sys.executable, "-m", "monai.bundle", "run", "--config_file", str(repository / "configs" / "help.yaml")]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0 and "workflows" in done.stdout and "  forget " in done.stdout
    done = subprocess.run(
        [sys.executable, "-m", "scripts", "forget", "--max_round", "3"], cwd=repository, capture_output=True, text=True
    )
    assert done.returncode == 2 and done.stderr.splitlines()[-1].endswith("did you mean 'max_rounds'?")
    assert list(tmp_path.iterdir()) == []
