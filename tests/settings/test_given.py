"""The settings of a running workflow: the same through file, overlay, command line and Python API."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from monai.bundle import ConfigWorkflow
from scripts.chain import run_workflow
from scripts.errors import InputError, user_error
from scripts.settings.config_file import read_config
from scripts.settings.given import Settings
from tests.commands.common import front_end, one_line, words

CONFIG = """
bundle_root: "."
output_dir: ""
model_dir: "$@bundle_root + '/models'"
model_name: model.pt
request: ""
network_name: unet_half
out_channels: 1
device: auto
extra: 3
used: "$@extra + 1"
section:
  leaf: 1
shown: {_target_: builtins.dict, output_dir: "@output_dir"}
workspace: {_target_: scripts.workspace.Workspace, workflow: revert}
run: "$@workspace.settings"
both: ["$@workspace.settings.output_dir", "@shown"]
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "revert.yaml"
    path.write_text(CONFIG)
    return path


def read(files: Any, run_id: str = "run", **given: Any) -> Any:
    workflow = ConfigWorkflow(config_file=files, workflow_type=None, logging_file=False, run_id=run_id, **given)
    return workflow.run()[0]


def refusal(files: Any, **given: Any) -> str:
    with pytest.raises(Exception) as caught:
        read(files, **given)
    found = user_error(caught.value)
    assert found is not None, repr(caught.value)
    return str(found)


def test_the_python_api_and_an_overlay_arrive_alike(config: Path) -> None:
    overlay = config.with_name("overlay.yaml")
    overlay.write_text("output_dir: batch, 1\nout_channels: 3\nepochs: 4\n")
    by_file = read([str(config), str(overlay)])
    by_call = read(str(config), output_dir="batch, 1", out_channels=3, epochs=4)
    assert dict(by_file) == dict(by_call) and by_file.output_dir == "batch, 1"
    assert by_file.given == by_call.given
    assert {"output_dir", "out_channels", "epochs", "bundle_root"} <= set(by_file.given)
    assert "network_name" not in by_file.given


def test_an_expression_is_evaluated(config: Path) -> None:
    assert read(str(config), bundle_root=str(config.parent)).model_dir == f"{config.parent}/models"


def test_a_root_that_is_no_folder_is_refused(config: Path) -> None:
    assert refusal(str(config), bundle_root="nowhere").startswith("bundle_root: 'nowhere' is no folder")


@pytest.mark.parametrize("network", ["$None", "$3", "$dict()"])
def test_an_expression_that_gives_no_network_is_refused(config: Path, network: str) -> None:
    assert refusal(str(config), network_def=network).startswith("network_def: '")


def test_a_workflow_that_another_one_starts_has_its_very_texts(config: Path) -> None:
    """MONAI would turn `#` in a text into `::`, for the parts that refer to it as well."""
    given = {"output_dir": "a#b"}
    workflow = run_workflow([str(config)], run_id="both", overrides=given)
    assert workflow.parser.get_parsed_content("both") == ["a#b", {"output_dir": "a#b"}]


def test_a_text_that_monai_has_changed_is_refused(config: Path) -> None:
    assert refusal(str(config), output_dir="a#b").startswith("output_dir: 'a::b' holds '::', into which MONAI turns")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"out_channels": "three"}, "out_channels: 'three' is not allowed; allowed: a whole number from 1"),
        ({"device": "gpu"}, "device: 'gpu' is not allowed"),
        ({"network_nam": "x"}, "network_nam: is no setting; did you mean 'network_name'?"),
        ({"zzqqxx": 1}, "zzqqxx: is no setting"),
        ({"model_name": "../model.pt"}, "model_name: '../model.pt' is not a name"),
        ({"output_dir": None}, "output_dir: a missing value is not allowed"),
    ],
)
def test_the_api_is_checked_like_the_command_line(config: Path, given: dict[str, Any], said: str) -> None:
    assert refusal(str(config), **given).startswith(said)


def test_a_value_of_ones_own_that_a_part_refers_to_passes(config: Path) -> None:
    assert read(str(config), extra=5).output_dir == ""


@pytest.mark.parametrize("block", [3, "some text", None])
def test_a_plain_value_in_the_place_of_a_network_is_refused(config: Path, block: Any) -> None:
    overlay = config.with_name("overlay.json")
    overlay.write_text(json.dumps({"network_def": block}))
    assert refusal([str(config), str(overlay)]).startswith(f"network_def: '{block}' is not allowed")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"output_dir": "$1/0"}, "output_dir: cannot be made (ZeroDivisionError: division by zero)"),
        ({"network_def": {"_target_": "torch.nn.Linear"}}, "network_def: cannot be made (TypeError"),
        ({"network_def": {"_target_": "nothing.Here"}}, "network_def: cannot be made (ModuleNotFoundError"),
    ],
)
def test_what_the_config_cannot_make_is_named(config: Path, given: dict[str, Any], said: str) -> None:
    assert refusal(str(config), **given).startswith(said)


@pytest.mark.parametrize(("run_id", "hint"), [("forgett", "; did you mean 'forget'?"), ("seed", "")])
def test_an_id_that_cannot_be_run_is_refused_before_anything_is_read(tmp_path: Path, run_id: str, hint: str) -> None:
    code, errors = front_end("forget", {"output_dir": tmp_path / "run"}, run_id=run_id)
    assert code == 2 and one_line(errors).startswith(f"error: command line: run_id: '{run_id}' is nothing that can be")
    assert one_line(errors).endswith(f"run{hint}") or not hint
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "text", ["seed: 0\nepochs: 1\nseed: 5\n", '{"train": {"epochs": 1, "seed": 1}, "seed": 0, "seed": 5}']
)
def test_a_key_that_stands_twice_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "overlay.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match="key 'seed' stands twice in one block"):
        read_config(path)


def test_a_text_of_an_arguments_file_arrives_as_it_stands_there(tmp_path: Path) -> None:
    path = tmp_path / "args.json"
    path.write_text(json.dumps({"datalist": str(tmp_path / "batch#1.json"), "dataset_name": "datalist"}))
    code, errors = front_end("forget", {"output_dir": tmp_path / "run", "args_file": path})
    assert code == 2 and one_line(errors).endswith("batch#1.json: no such datalist file")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"lora_rank": "abc"}, "command line: lora_rank: 'abc' is not allowed"),
        ({"epochs": 3}, "command line: unknown key 'epochs'"),
        ({"networkname": "x"}, "command line: unknown key 'networkname'; did you mean 'network_name'?"),
        ({"train::trainer::max_epoch": 3}, "command line: unknown key 'train::trainer::max_epoch'; did you mean"),
    ],
)
def test_the_command_line_of_a_delivered_workflow(tmp_path: Path, more: dict[str, Any], said: str) -> None:
    code, errors = front_end("forget", {"output_dir": tmp_path / "run", **more})
    assert code == 2 and one_line(errors).startswith(f"error: {said}")
    assert not (tmp_path / "run").exists()


def test_a_mistyped_key_of_an_overlay_names_the_overlay(tmp_path: Path) -> None:
    overlay = tmp_path / "chase.yaml"
    overlay.write_text("epoch: 4\n")
    code, errors = front_end("forget", {"output_dir": tmp_path / "run"}, overlays=[overlay])
    assert code == 2 and one_line(errors) == f"error: {overlay}: unknown key 'epoch'; did you mean 'epochs'?"


def test_one_dash_is_refused_before_anything_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import tests.commands.common as common

    line = words("unlearn", {"output_dir": tmp_path / "run"})
    monkeypatch.setattr(common, "words", lambda *_, **__: [*line, "-request", "x.csv"])
    code, errors = front_end("unlearn", {})
    assert code == 2 and "'-request' is not understood" in one_line(errors)


def test_settings_say_what_moves_a_weight_and_what_a_run_has_in_common() -> None:
    found = Settings("forget", {"seed": 1, "image_size": 64, "output_dir": "x", "lora_rank": 2, "goal": "unlearn"})
    assert found.procedure() == {"seed": 1, "image_size": 64, "lora_rank": 2, "goal": "unlearn"}
    assert found.shared() == {"image_size": 64, "goal": "unlearn"}
    with pytest.raises(AttributeError, match="epochs is no setting of workflow forget"):
        _ = found.epochs
