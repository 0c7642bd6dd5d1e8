"""The command line as it was typed: nothing of it is passed over, changed or guessed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from scripts.errors import InputError
from scripts.settings.command_line import CommandLine, read_command_line
from scripts.settings.config_file import known_ids, read_config

PROGRAM = "/somewhere/monai/bundle/__main__.py"


def typed(*words: object) -> CommandLine:
    return read_command_line([PROGRAM, "run", *map(str, words)])


def test_values_stay_as_they_were_typed() -> None:
    found = typed("--config_file=a.yaml", "--rate=1e-3", "--dir", "batch#1", "--on=False", "--name", "01", "--d=a=b")
    assert found.options == {"rate": "1e-3", "dir": "batch#1", "on": "False", "name": "01", "d": "a=b"}


def test_a_flag_takes_no_other_option() -> None:
    found = typed("train", "--overwrite", "--config_file", "a.yaml", "--progress")
    assert found.options == {"overwrite": None, "progress": None} and found.config_files == ("a.yaml",)


def test_a_negative_number_is_a_value() -> None:
    assert typed("train", "--fold", "-1").options == {"fold": "-1"}


def test_several_files_in_order() -> None:
    assert typed("--config_file", "['a.yaml', 'b.yaml']").config_files == ("a.yaml", "b.yaml")


def test_the_last_of_two_counts() -> None:
    assert typed("--seed", "1", "--seed", "2").options == {"seed": "2"}


def test_hyphens_are_underscores_to_fire() -> None:
    assert typed("--config-file", "a.yaml", "--batch-size", "4") == CommandLine(("a.yaml",), {"batch_size": "4"})


def test_arguments_of_the_runner_are_no_settings() -> None:
    assert typed("--run_id", "train", "--config_file", "a.yaml", "--meta_file", "m.json").options == {}


def test_args_file_stands_behind_the_command_line(tmp_path: Path) -> None:
    path = tmp_path / "args.json"
    path.write_text(json.dumps({"config_file": "a.yaml", "epochs": 1, "seed": 2}))
    found = typed("--args_file", path, "--epochs", "9")
    assert found == CommandLine(("a.yaml",), {"epochs": "9"}, {"seed": 2})


@pytest.mark.parametrize("argv", [[], [PROGRAM], ["/usr/bin/pytest", "-x"], [PROGRAM, "download", "--name", "a"]])
def test_other_commands_are_none_of_our_business(argv: list[str]) -> None:
    assert read_command_line(argv) == CommandLine()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["forget", "-request", "x.csv"], "'-request' is not understood.*here --request"),
        (["forget", "request=x.csv"], "'request=x.csv' is not understood.*here --request"),
        (["forget", "x.csv"], "'x.csv' is not understood"),
        (["forget", "--request", "a", "b"], "'b' is not understood"),
        (["forget", "-"], "'-' is not understood"),
    ],
)
def test_a_word_that_is_no_option_is_refused(words: list[str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        typed(*words)


def test_nested_ids_of_dicts_and_lists() -> None:
    assert known_ids({"a": {"b": 1}, "c": [{"d": 2}, 3]}) == {"a", "a::b", "c", "c::0", "c::0::d", "c::1"}


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
        read_config(tmp_path / "none.yaml")


def test_an_option_behind_the_words_for_fire_is_refused() -> None:
    with pytest.raises(InputError, match="'--seed' stands behind '--', where no workflow reads it"):
        typed("train", "--config_file", "a.yaml", "--", "--seed", "3")
    assert typed("train", "--config_file", "a.yaml", "--", "--verbose").options == {}
