"""Workflows one after another in one process: each takes what it knows, and the first error is the last step."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts import processes
from scripts.chain import Chain, FoldPool, command_line_settings, run_workflow
from scripts.errors import InputError, user_error

# Each step appends what it saw to a file.
NOTE = """
initialize: []
run: "$open(@out, 'a').write(str(dict({fields})) + '\\\\n')"
out: nowhere
"""


def step(folder: Path, name: str, settings: str, fields: str) -> None:
    (folder / f"{name}.yaml").write_text(NOTE.replace("{fields}", f"step='{name}', {fields}") + settings)


@pytest.fixture
def configs(tmp_path: Path) -> Path:
    step(tmp_path, "one", "rank: 1\nseed: 0\n", "rank=@rank, seed=@seed")
    step(tmp_path, "two", "seed: 0\nhead:\n  lr: 0.5\n", "lr=@head::lr, seed=@seed")
    refuse = "__import__('scripts.errors', fromlist=['Refused']).Refused('no verdict')"
    (tmp_path / "refused.yaml").write_text(f'initialize: []\nrun: "$(_ for _ in ()).throw({refuse})"\n')
    return tmp_path


def seen(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.is_file() else []


def test_each_step_takes_only_what_it_knows(configs: Path) -> None:
    out = configs / "seen.txt"
    settings = {"rank": 4, "seed": 7, "head::lr": 0.25, "out": str(out)}
    Chain(config_dir=configs, steps=["one", "two"], settings=settings).run()
    assert seen(out) == [
        str({"step": "one", "rank": 4, "seed": 7}),
        str({"step": "two", "lr": 0.25, "seed": 7}),
    ]


def test_an_error_ends_the_chain(configs: Path) -> None:
    out = configs / "seen.txt"
    with pytest.raises(Exception) as caught:
        Chain(config_dir=configs, steps=["one", "refused", "two"], settings={"out": str(out)}).run()
    found = user_error(caught.value)
    assert found is not None and (str(found), found.exit_code) == ("no verdict", 6)
    assert len(seen(out)) == 1


def test_of_several_processes_the_first_alone_runs_what_is_not_made_for_more(
    configs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step(configs, "shared", "distributed: false\n", "distributed=@distributed")
    alone: list[str] = []
    monkeypatch.setattr(processes, "once", lambda action: alone.append("one"))  # as in the processes that wait
    out = configs / "seen.txt"
    settings = {"distributed": True, "rank": 1, "out": str(out)}
    Chain(config_dir=configs, steps=["one", "shared"], settings=settings).run()
    assert alone == ["one"] and seen(out) == [str({"step": "shared", "distributed": True})]


def test_a_step_that_is_no_workflow(configs: Path) -> None:
    with pytest.raises(InputError, match="steps: 'three' is no workflow in"):
        Chain(config_dir=configs, steps=["three"], settings={}).run()


def test_each_fold_is_one_run_of_the_same_workflow(tmp_path: Path) -> None:
    out = tmp_path / "seen.txt"
    (tmp_path / "train.yaml").write_text(
        "initialize: []\nfold: -1\nmember: 0\nseed: 0\nout: nowhere\nrun: \"$open(@out, 'a').write('never')\"\n"
        "single: \"$open(@out, 'a').write(str((@fold, @member, @seed)))\"\n"
    )
    FoldPool(workflow=tmp_path / "train.yaml", folds=2, members=2, seed=5, settings={"out": str(out)}).run()
    assert out.read_text() == "(0, 0, 5)(0, 1, 10005)(1, 0, 5)(1, 1, 10005)"


def test_no_folds_is_no_run(tmp_path: Path) -> None:
    FoldPool(workflow=tmp_path / "absent.yaml", folds=0, settings={}).run()


def test_the_workflow_is_handed_back(configs: Path) -> None:
    workflow = run_workflow([str(configs / "one.yaml")], overrides={"out": str(configs / "a"), "rank": 9})
    assert workflow.parser["rank"] == 9


def test_settings_of_the_running_command(tmp_path: Path) -> None:
    overlay, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
    overlay.write_text("seed: 1\ntrain#rate: 2\nepochs: 3\n")
    second.write_text("epochs: 4\n")
    files = json.dumps([str(tmp_path / "w.yaml"), str(overlay), str(second)])
    argv = ["monai/bundle/__main__.py", "run", "--config_file", files, "--seed", "9"]
    assert command_line_settings(argv) == {"seed": 9, "train::rate": 2, "epochs": 4}
    assert command_line_settings(["pytest"]) == {}
    assert Chain(config_dir=tmp_path, steps=(), settings=None).settings == {}
