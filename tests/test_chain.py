"""Workflows one after another in one process: each takes what it has, and the first error is the last step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from scripts import processes
from scripts.chain import Chain, overrides, run_workflow
from scripts.errors import InputError, user_error
from scripts.settings.given import Settings

# Each step appends what it saw to a file.
NOTE = """
initialize: []
run: "$open(@out, 'a').write(str(dict({fields})) + '\\\\n')"
out: nowhere
"""


def step(folder: Path, name: str, settings: str, fields: str) -> None:
    text = NOTE.replace("{fields}", f"step='{name}', {fields}").replace("nowhere", str(folder / "seen.txt"))
    (folder / f"{name}.yaml").write_text(text + settings)


def given(workflow: str = "unlearn", **values: Any) -> Settings:
    return Settings(workflow, values, given=values)


@pytest.fixture
def configs(tmp_path: Path) -> Path:
    step(tmp_path, "forget", "lora_rank: 1\nseed: 0\n", "rank=@lora_rank, seed=@seed")
    step(tmp_path, "restore", "seed: 0\nrestore_steps: 5\n", "steps=@restore_steps, seed=@seed")
    refuse = "__import__('scripts.errors', fromlist=['Refused']).Refused('no verdict')"
    (tmp_path / "verify.yaml").write_text(f'initialize: []\nrun: "$(_ for _ in ()).throw({refuse})"\n')
    return tmp_path


def seen(folder: Path) -> list[str]:
    path = folder / "seen.txt"
    return path.read_text().splitlines() if path.is_file() else []


def test_each_step_takes_only_what_it_has(configs: Path) -> None:
    settings = given(lora_rank=4, seed=7, restore_steps=2)
    Chain(config_dir=configs, steps=["forget", "restore"], settings=settings).run()
    assert seen(configs) == [
        str({"step": "forget", "rank": 4, "seed": 7}),
        str({"step": "restore", "steps": 2, "seed": 7}),
    ]


def test_the_steps_are_those_that_the_workflow_reaches(configs: Path) -> None:
    assert Chain(config_dir=configs, settings=given()).steps == ("forget", "restore", "evaluate")


def test_an_error_ends_the_chain(configs: Path) -> None:
    with pytest.raises(Exception) as caught:
        Chain(config_dir=configs, steps=["forget", "verify", "restore"], settings=given()).run()
    found = user_error(caught.value)
    assert found is not None and (str(found), found.exit_code) == ("no verdict", 6)
    assert len(seen(configs)) == 1


def test_of_several_processes_the_first_alone_runs_what_is_not_made_for_more(
    configs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone: list[str] = []
    monkeypatch.setattr(processes, "once", lambda action: alone.append("one"))  # as in the processes that wait
    Chain(config_dir=configs, steps=["verify", "forget"], settings=given()).run()
    assert alone == ["one"] and len(seen(configs)) == 1


def test_whole_blocks_are_handed_on() -> None:
    block = {"_target_": "monai.networks.nets.UNet"}
    settings = Settings("unlearn", {}, given={"seed": 1}, blocks={"network_def": block})
    assert overrides(settings, "forget") == {"seed": 1, "network_def": block}


def test_a_folder_without_the_workflow_of_a_step_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="^chain::config_dir: .* holds no forget.yaml"):
        Chain(config_dir=tmp_path, settings=given("unlearn"), steps=["forget"]).run()


def test_the_workflow_is_handed_back(configs: Path) -> None:
    workflow = run_workflow([str(configs / "forget.yaml")], overrides={"lora_rank": 9})
    assert workflow.parser["lora_rank"] == 9
