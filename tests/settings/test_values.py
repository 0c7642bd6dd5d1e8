"""A value in its type and range, however it was given; what is something else is refused by the setting's name."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from scripts.errors import InputError
from scripts.settings import SETTINGS, read_value
from scripts.settings.setting import Kind, Setting


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("dataset_dir", "2018", "2018"),
        ("output_dir", "batch#1", "batch#1"),
        ("override_reason", "faulty labels, batch 3", "faulty labels, batch 3"),
        ("override_reason", "2026", "2026"),
        ("output_dir", "None", "None"),
        ("overwrite", "false", False),
        ("overwrite", None, True),
        ("overwrite", "TRUE", True),
        ("epochs", "3", 3),
        ("learning_rate", "1e-3", 1e-3),
        ("lora_rank", "null", None),
        ("lora_rank", "None", None),
        ("retain_images", "all", "all"),
        ("retain_images", "12", 12),
        ("amp", "auto", "auto"),
        ("amp", "true", True),
        ("image_size", "64", 64),
        ("image_size", "[96, 128]", [96, 128]),
        ("recovery", "[int8, int4]", ["int8", "int4"]),
        ("recovery", "int8", ["int8"]),
        ("study_controls", "[true retrain,ours]", ["true retrain", "ours"]),
        ("key_dir", "[new,old]", ["new", "old"]),
        ("key_dir", "keys", "keys"),
        ("fold", "-1", -1),
    ],
)
def test_text_of_the_command_line(name: str, text: str | None, value: Any) -> None:
    found = read_value(SETTINGS[name], text, typed=False)
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [("learning_rate", "1e-3", 1e-3), ("learning_rate", 1, 1), ("amp", True, True), ("image_size", (8, 16), [8, 16])],
)
def test_values_of_a_config(name: str, value: Any, found: Any) -> None:
    assert read_value(SETTINGS[name], value) == found


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("lora_rank", "abc"),
        ("lora_rank", 2.5),
        ("lora_rank", True),
        ("lora_rank", 0),
        ("threads", "abc"),
        ("threads", -1),
        ("epochs", None),
        ("epochs", [3]),
        ("epochs", "3.0"),
        ("forget_weight", -1),
        ("learning_rate", float("nan")),
        ("learning_rate", "inf"),
        ("test_share", 1.0),
        ("overwrite", "yes"),
        ("overwrite", 1),
        ("overwrite", None),
        ("override_reason", None),
        ("override_reason", False),
        ("override_reason", 0),
        ("dataset_dir", 2018),
        ("dataset_dir", ("a", "b")),
        ("dataset_dir", " data"),
        ("goal", "forget"),
        ("goal", None),
        ("image_size", [64, 0]),
        ("image_size", "big"),
        ("recovery", ["int8", "none"]),
        ("recovery", 3),
        ("observer", 3),
    ],
)
def test_what_is_not_allowed_is_named(name: str, value: Any) -> None:
    with pytest.raises(InputError) as caught:
        read_value(SETTINGS[name], value)
    text = str(caught.value)
    assert name in text and "allowed: " in text and "\n" not in text and len(text) < 400


def test_a_setting_without_a_value_is_no_text() -> None:
    with pytest.raises(InputError, match="request: a missing value is not allowed"):
        read_value(SETTINGS["request"], None, typed=False)


def test_a_number_for_a_text_says_what_to_write() -> None:
    with pytest.raises(InputError, match="put it into quotes: dataset_dir: '2018'"):
        read_value(SETTINGS["dataset_dir"], 2018)


def test_the_file_that_gave_a_value_is_named() -> None:
    with pytest.raises(InputError, match="^chase.yaml: epochs: "):
        read_value(SETTINGS["epochs"], "many", where="chase.yaml")


ANYTHING = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text() | some.binary(),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(), inner, max_size=3),
)


@given(name=some.sampled_from(sorted(SETTINGS)), value=ANYTHING, typed=some.booleans())
def test_any_value_is_read_or_refused(name: str, value: Any, typed: bool) -> None:
    if not typed and not (value is None or isinstance(value, str)):
        value = str(value)
    try:
        found = read_value(SETTINGS[name], value, typed=typed)
    except InputError:
        return
    assert read_value(SETTINGS[name], found) == found


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=lambda setting: setting.name)
def test_every_default_is_allowed(setting: Setting) -> None:
    if not str(setting.default).startswith("$"):
        assert read_value(setting, setting.default) == setting.default


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=lambda setting: setting.name)
def test_every_comment_is_a_sentence(setting: Setting) -> None:
    assert setting.comment[0].isupper() or setting.comment[0].isdigit()
    assert setting.comment.endswith(".") and not setting.comment.endswith("..")
    assert setting.kind is not Kind.FLAG or setting.comment.startswith("Whether ")


@pytest.mark.parametrize(
    ("name", "value", "most"),
    [
        ("lora_rank", 1_000_000, "1024"),
        ("image_size", 10**6, "16384"),
        ("image_size", [64, 10**6], "16384"),
        ("threads", 10**18 - 1, "1024"),
        ("learning_rate", 1e300, "10"),
        ("seed", 2**32, "4294967295"),
        ("overlays", 10**9, "1000"),
    ],
)
def test_what_no_computer_can_make_anything_of(name: str, value: Any, most: str) -> None:
    """Without a limit these ended in errors of memory or of torch that name no setting."""
    with pytest.raises(InputError, match=rf"^{name}: '.*' is not allowed; allowed: .* up to {most}"):
        read_value(SETTINGS[name], value)


@pytest.mark.parametrize("typed", [True, False])
def test_a_whole_number_that_64_bits_do_not_hold(typed: bool) -> None:
    with pytest.raises(InputError, match="^patience: "):
        read_value(SETTINGS["patience"], 10**30 if typed else "1" + 30 * "0", typed=typed)


def test_a_limit_is_told_in_an_error_and_not_in_a_config() -> None:
    setting = SETTINGS["lora_rank"]
    assert "1024" in setting.allowed and "1024" not in setting.note


@pytest.mark.parametrize("text", ["a\nb", "a\tb", "\x1b[31mred", "a\0b", "a\x85b"])
@pytest.mark.parametrize("typed", [True, False])
def test_a_text_is_one_line_without_control_characters(text: str, typed: bool) -> None:
    """A folder's name or a reason stands in logs, in the certificate and on terminals."""
    for name in ("output_dir", "override_reason"):
        with pytest.raises(InputError, match=f"^{name}: .* in one line, without control characters"):
            read_value(SETTINGS[name], text, typed=typed)


def test_digits_of_another_script_are_no_number() -> None:
    with pytest.raises(InputError, match="^seed: "):
        read_value(SETTINGS["seed"], "\uff11", typed=False)
