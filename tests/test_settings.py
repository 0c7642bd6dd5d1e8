"""The command line as Fire reads it, and a mistyped key found wherever it stands."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.errors import InputError
from scripts.settings import Invocation, check, check_keys, known_ids, prepare, read_config, workflow_ids

PROGRAM = "/somewhere/monai/bundle/__main__.py"
WORKFLOW = """
epochs: 3
learning_rate: 0.1
train:
  handlers:
    - _target_: builtins.dict
      interval: 2
"""


@pytest.fixture
def workflow(tmp_path: Path) -> Path:
    path = tmp_path / "train.yaml"
    path.write_text(WORKFLOW)
    return path


@pytest.fixture
def hooks() -> Iterator[None]:
    """Put back what `prepare` changes for the whole process."""
    before = sys.excepthook, [logging.getLogger(name).level for name in ("ignite", "monai")]
    yield
    sys.excepthook = before[0]
    for name, level in zip(("ignite", "monai"), before[1], strict=True):
        logging.getLogger(name).setLevel(level)


def invoked(*words: object) -> Invocation:
    return Invocation.from_argv([PROGRAM, "run", *map(str, words)])


def refusal(invocation: Invocation) -> str:
    with pytest.raises(InputError) as caught:
        check(invocation)
    return str(caught.value)


@pytest.mark.parametrize("words", [("--epochs", "5"), ("--epochs=5",)])
def test_both_forms_of_a_setting(words: tuple[str, ...]) -> None:
    found = invoked("train", "--config_file", "a.yaml", *words)
    assert found.config_files == ("a.yaml",) and found.overrides == {"epochs": 5}


def test_values_are_read_as_fire_reads_them() -> None:
    found = invoked("--config_file=a.yaml", "--rate=1e-3", "--on=False", "--sizes=[1,2]", "--name", "p01", "--d=a=b")
    assert found.overrides == {"rate": 1e-3, "on": False, "sizes": [1, 2], "name": "p01", "d": "a=b"}


def test_a_flag_is_true_and_takes_no_other_option() -> None:
    found = invoked("train", "--overwrite", "--config_file", "a.yaml", "--progress")
    assert found.overrides == {"overwrite": True, "progress": True} and found.config_files == ("a.yaml",)


def test_several_files_in_order() -> None:
    assert invoked("--config_file", "['a.yaml','b.yaml']").config_files == ("a.yaml", "b.yaml")


def test_hyphens_are_underscores_to_fire() -> None:
    assert invoked("--config-file", "a.yaml", "--batch-size", "4") == Invocation(("a.yaml",), {"batch_size": 4})


def test_arguments_of_the_runner_are_no_settings() -> None:
    found = invoked("--run_id", "train", "--config_file", "a.yaml", "--meta_file", "m.json", "--logging_file", "l")
    assert found.overrides == {}


def test_args_file_stands_behind_the_command_line(tmp_path: Path) -> None:
    path = tmp_path / "args.json"
    path.write_text(json.dumps({"config_file": "a.yaml", "epochs": 1, "seed": 2}))
    found = invoked("--args_file", path, "--epochs", "9")
    assert found.config_files == ("a.yaml",) and found.overrides == {"epochs": 9, "seed": 2}


@pytest.mark.parametrize("argv", [[], [PROGRAM], ["/usr/bin/pytest", "run"], [PROGRAM, "download", "--name", "a"]])
def test_other_programs_are_none_of_our_business(argv: list[str]) -> None:
    assert Invocation.from_argv(argv) == Invocation()


def test_nested_ids_of_dicts_and_lists() -> None:
    assert known_ids({"a": {"b": 1}, "c": [{"d": 2}, 3]}) == {"a", "a::b", "c", "c::0", "c::0::d", "c::1"}


def test_a_chain_knows_what_its_steps_know(tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text("steps: [one, two]\n")
    (tmp_path / "one.yaml").write_text("rank: 1\n")
    (tmp_path / "two.yaml").write_text("head: {lr: 2}\n")
    assert workflow_ids(tmp_path / "all.yaml") >= {"steps", "rank", "head::lr"}


@pytest.mark.parametrize("key", ["epochs", "train::handlers::0::interval", "train#handlers#0#interval", "+new"])
def test_known_keys_pass(workflow: Path, key: str) -> None:
    check_keys([key], workflow_ids(workflow), where="here")


@pytest.mark.parametrize(
    ("key", "near"),
    [
        ("epoch", "epochs"),
        ("learningrate", "learning_rate"),
        ("train#handlers#0#intervl", "train::handlers::0::interval"),
    ],
)
def test_mistyped_key_names_the_nearest(workflow: Path, key: str, near: str) -> None:
    found = refusal(Invocation((str(workflow),), {key: 1}))
    assert found == f"command line: unknown key '{key}'; did you mean '{near}'?"


def test_key_like_no_other_gets_no_guess(workflow: Path) -> None:
    assert refusal(Invocation((str(workflow),), {"zzqqxx": 1})) == "command line: unknown key 'zzqqxx'"


def test_mistyped_key_in_an_overlay_names_the_overlay(workflow: Path) -> None:
    overlay = workflow.parent / "chase.yaml"
    overlay.write_text("epoch: 4\n")
    assert (
        refusal(Invocation((str(workflow), str(overlay)))) == f"{overlay}: unknown key 'epoch'; did you mean 'epochs'?"
    )


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"a: [1", "not a readable YAML"),
        (b"\xff\xfe\x00a", "not a readable YAML"),
        (b"", "holds no keys"),
        (b"- 1", "holds no keys"),
    ],
)
def test_broken_config_file_is_one_line(tmp_path: Path, content: bytes, word: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(content)
    with pytest.raises(InputError, match=word) as caught:
        read_config(path)
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)


def test_missing_config_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such config file"):
        check(Invocation((str(tmp_path / "none.yaml"),)))


def test_prepare_checks_and_installs_the_hook(workflow: Path, hooks: None) -> None:
    with pytest.raises(InputError, match="did you mean 'epochs'"):
        prepare([PROGRAM, "run", "train", "--config_file", str(workflow), "--epoch", "1"])
    assert sys.excepthook is not sys.__excepthook__
    assert logging.getLogger("ignite").level == logging.CRITICAL


def test_prepare_leaves_other_programs_alone(hooks: None) -> None:
    before = sys.excepthook
    prepare(["/usr/bin/pytest"])
    assert sys.excepthook is before


@pytest.mark.parametrize("stem", ["train", "forget", "restore", "evaluate", "revert", "unlearn"])
def test_a_mistyped_setting_of_the_delivered_workflows(repository: Path, stem: str) -> None:
    path = repository / "configs" / f"{stem}.yaml"
    check(Invocation((str(path),), {"network_name": "unet_half"}))
    assert "did you mean 'network_name'" in refusal(Invocation((str(path),), {"networkname": 1}))
