"""The parts of a config: what may stand in their place, and that a changed part is known by its name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from scripts.errors import InputError
from scripts.settings.config_file import read_config
from scripts.settings.given import Settings
from scripts.settings.parts import changed_parts, compare_parts
from tests.commands.common import TRAIN as SHORT
from tests.commands.common import front_end, one_line, refusal, run, workflow

TRAIN = read_config(workflow("train"))


def changed(**parts: Any) -> dict[str, Any]:
    """The training with some parts replaced, nested ones by `::`."""
    config = read_config(workflow("train"))
    for name, value in parts.items():
        *way, last = name.replace("__", "::").split("::")
        place: Any = config
        for step in way:
            place = place[step]
        place[last] = value
    return config


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("run", 3),
        ("run", []),
        ("run", None),
        ("single", 3),
        ("train", 3),
        ("train", []),
        ("network", 3),
        ("network_def", 3),
        ("network_def", {"name": "x"}),
        ("optimizer", {}),
        ("optimizer", {"_target_": 3}),
        ("initialize", 4),
        ("finalize", "x"),
        ("train__run", 4),
        ("train__trainer", 3),
        ("train__dataset", None),
        ("train__handlers", "x"),
        ("train__handlers", ["x"]),
        ("validate__evaluator", True),
    ],
)
def test_a_plain_value_in_the_place_of_a_part_is_refused_by_its_name(name: str, value: Any) -> None:
    with pytest.raises(InputError, match=f"^{name.replace('__', '::')}: .* is not allowed; allowed is a"):
        compare_parts(TRAIN, changed(**{name: value}))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("optimizer", {"_target_": "torch.optim.SGD", "params": "$@network.parameters()", "lr": 0.1}),
        ("optimizer__lr", 0.1),
        ("network", "$@network_def"),
        ("network_def", {"_target_": "monai.networks.nets.UNet"}),
        ("train__loss", "$lambda a, b: 0"),
        ("train__handlers", []),
        ("run", ["$@single_run.run()"]),
        ("initialize", [*TRAIN["initialize"], "$import my_package"]),
        ("my_part", 3),
    ],
)
def test_another_part_a_leaf_and_further_steps_pass(name: str, value: Any) -> None:
    assert compare_parts(TRAIN, changed(**{name: value})) is None


def test_a_leaf_that_has_a_settings_value_is_checked_like_the_setting() -> None:
    with pytest.raises(InputError, match="^optimizer::lr: 'x' is not allowed; allowed: a number above 0"):
        compare_parts(TRAIN, changed(optimizer__lr="x"))


def test_no_step_is_taken_out() -> None:
    with pytest.raises(InputError, match=r"^initialize: lacks the step '\$@workspace.begin\(\)'"):
        compare_parts(TRAIN, changed(initialize=TRAIN["initialize"][:-1]))


def test_a_section_that_lacks_what_others_refer_to_is_refused() -> None:
    section = {name: part for name, part in TRAIN["train"].items() if name != "dataset"}
    with pytest.raises(InputError, match="^train::dataset: is missing, and other parts refer to it"):
        compare_parts(TRAIN, changed(train=section))


def test_changed_parts_are_told_and_belong_to_what_a_model_follows_from() -> None:
    config = changed(optimizer__lr=0.1, run=["$@single_run.run()"], train__loss="@my_loss", my_loss={"_target_": "x"})
    found = changed_parts(TRAIN, config)
    assert set(found) == {"optimizer", "run", "train", "my_loss"}
    moving = Settings("train", {"seed": 1}, parts=found).procedure()
    assert set(moving) == {"seed", "optimizer", "train", "my_loss"} and moving["optimizer"]["lr"] == 0.1
    assert changed_parts(TRAIN, TRAIN) == {}


@pytest.mark.parametrize("text", ["run: 3\n", "initialize: []\n", "train::trainer: 3\n", "forget: 3\n"])
def test_an_overlay_by_which_nothing_would_run(tmp_path: Path, text: str) -> None:
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text(text)
    code, errors = front_end("forget", {"output_dir": tmp_path / "run"}, overlays=[overlay])
    assert code == 2 and one_line(errors).startswith(f"error: {text.split(': ')[0]}: ")
    assert not (tmp_path / "run").exists()


def test_a_part_of_a_step_is_refused_where_the_steps_get_settings_alone(tmp_path: Path) -> None:
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("student: {_target_: builtins.dict}\n")
    code, errors = front_end("unlearn", {"output_dir": tmp_path / "run"}, overlays=[overlay])
    assert code == 2 and one_line(errors).startswith("error: student: is a part of forget, which unlearn runs with")


def test_a_workspace_of_an_unknown_workflow(tmp_path: Path) -> None:
    error = refusal("revert", {"output_dir": str(tmp_path), "workspace::workflow": "reverse"})
    assert str(error).startswith("workspace::workflow: 'reverse' is not allowed; allowed: train | ")


def test_a_model_of_another_optimizer_is_not_handed_back(tmp_path: Path) -> None:
    """The settings are the same, and the weights would not be."""
    own = {**SHORT, "epochs": 1, "model_dir": str(tmp_path / "models"), "output_dir": str(tmp_path / "run")}
    run("train", own, run_id="single")
    error = refusal("train", {**own, "optimizer::weight_decay": 0.5}, run_id="single")
    assert "exists already and was trained with another optimizer" in str(error)
