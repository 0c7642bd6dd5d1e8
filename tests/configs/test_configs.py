"""Config files hold commented values: what a researcher may change, and what must stay in step between files."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

LONGEST = 200  # lines of a workflow file
CONFIGS = Path(__file__).resolve().parents[2] / "configs"
# DESIGN names these; a workflow of any other name is known by its `run`.
NAMED = set(
    "train inference evaluate forget restore revert references verify commit export compare tune unlearn".split()
)
OWN_ID = {"inference": "infer", "inference_classification": "infer"}
FILES = {path.stem: path for path in sorted(CONFIGS.glob("*.yaml"))}

# Inference reads a folder of images and writes masks; the others read a data set and write a run.
OWN_DEFAULTS = {"inference": {"dataset_dir", "output_dir", "network_name", "out_channels"}}
OWN_DEFAULTS["inference_classification"] = OWN_DEFAULTS["inference"]
# A teacher is trained on everything and alone, unless told otherwise.
OWN_DEFAULTS["train"] = {"request", "folds"}
# A head on embeddings is fitted first, and only then asked to forget.
OWN_DEFAULTS["embed"] = {"request"}
# Forgetting takes bf16 where it finds it; the teachers that come with the bundle, and what is measured, are float32.
OWN_DEFAULTS["forget"] = OWN_DEFAULTS["restore"] = OWN_DEFAULTS["prepare"] = OWN_DEFAULTS["tune"] = {"amp"}


@cache
def content(stem: str) -> dict[str, Any]:
    return yaml.safe_load(FILES[stem].read_text(encoding="utf-8"))


WORKFLOW_FILES = [stem for stem in FILES if stem != "help" and (stem in NAMED or "run" in content(stem))]
OVERLAYS = [stem for stem in FILES if stem not in WORKFLOW_FILES and stem != "help"]
# What runs, and what MONAI's tracking looks for.
RUNNABLE = {"run", "initialize", "finalize", "imports", "save_execute_config"} | {
    OWN_ID.get(stem, stem) for stem in WORKFLOW_FILES
}


def is_setting(key: str, value: Any) -> bool:
    """A value that a person may change; not a part, and not what `run` executes."""
    if key in RUNNABLE or isinstance(value, Mapping) or value == []:
        return False
    if isinstance(value, list):
        return not any(isinstance(item, Mapping) or str(item).startswith("$") for item in value)
    return not (isinstance(value, str) and re.match(r"\$(?!@\w+ \+)|@\w+::|%", value))


@cache
def shared_settings() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for stem in WORKFLOW_FILES:
        for key, value in content(stem).items():
            if is_setting(key, value) and key not in OWN_DEFAULTS.get(stem, ()):
                found.setdefault(key, {})[stem] = value
    return found


@pytest.mark.parametrize("stem", sorted(FILES))
def test_no_key_stands_twice(stem: str) -> None:
    keys = [
        line.split(": ")[0].rstrip(":") for line in FILES[stem].read_text().splitlines() if re.match(r"[\w\"'+]", line)
    ]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("stem", WORKFLOW_FILES)
def test_workflow_runs_as_run_and_by_its_own_name(stem: str) -> None:
    assert {"run", OWN_ID.get(stem, stem), "bundle_root", "initialize"} <= set(content(stem))


@pytest.mark.parametrize("stem", WORKFLOW_FILES)
def test_workflow_checks_its_keys_first(stem: str) -> None:
    steps = content(stem)["initialize"]
    assert steps[:3] == ["$import sys", "$import traceback", "$sys.path.insert(0, @bundle_root)"]
    assert steps[3:] == content("train")["initialize"][3:5] + steps[5:]  # the same line in every workflow
    assert "$@workspace.begin()" in steps
    assert content(stem)["workspace"] == {"_target_": "scripts.workspace.Workspace", "workflow": stem}


@pytest.mark.parametrize("stem", WORKFLOW_FILES)
def test_a_workflow_file_can_be_taken_in(stem: str) -> None:
    assert len(FILES[stem].read_text(encoding="utf-8").splitlines()) <= LONGEST


@pytest.mark.parametrize("stem", sorted(FILES))
def test_every_setting_has_a_comment(stem: str) -> None:
    values = content(stem)
    for line in FILES[stem].read_text(encoding="utf-8").splitlines():
        key = line.split(":")[0].strip("\"'")
        if re.match(r"[\w\"']", line) and key in values and is_setting(key, values[key]):
            assert re.search(r"\s#\s*\S", line), f"{stem}.yaml: '{key}' has no comment"


@pytest.mark.parametrize("stem", OVERLAYS)
def test_overlay_sets_leaves_only(stem: str) -> None:
    for key, value in content(stem).items():
        assert not isinstance(value, Mapping), f"{stem}.yaml: '{key}' would replace a whole dict; give leaf ids with ::"
        items = value if isinstance(value, list) else [value]
        assert not any(isinstance(item, Mapping | list) for item in items), f"{stem}.yaml: '{key}'"
        assert "#" not in key, f"{stem}.yaml: '{key}': the separator is ::"


@pytest.mark.parametrize("stem", OVERLAYS)
def test_overlay_keys_are_known_to_a_workflow(stem: str) -> None:
    for key in content(stem):
        assert any(_leaf(content(name), key.split("::")) for name in WORKFLOW_FILES), f"{stem}.yaml: '{key}'"


def _leaf(node: Any, path: list[str]) -> bool:
    """Whether `path` leads to something in `node` that is no dict."""
    for part in path:
        if isinstance(node, list) and part.isdigit() and int(part) < len(node):
            node = node[int(part)]
        elif isinstance(node, Mapping) and part in node:
            node = node[part]
        else:
            return False
    return not isinstance(node, Mapping)


@pytest.mark.parametrize("key", sorted(key for key, stems in shared_settings().items() if len(stems) > 1))
def test_shared_setting_has_one_default(key: str) -> None:
    values = shared_settings()[key]
    assert len({json.dumps(value) for value in values.values()}) == 1, f"'{key}' differs: {values}"


@pytest.mark.parametrize("stem", WORKFLOW_FILES)
def test_settings_stand_on_top(stem: str) -> None:
    """A reader finds all values before the first part."""
    values = content(stem)
    kinds = [is_setting(key, value) for key, value in values.items()]
    parts = [index for index, (key, kind) in enumerate(zip(values, kinds, strict=True)) if not kind]
    first_part = parts[0] if parts else len(kinds)
    late = [key for key, kind in list(zip(values, kinds, strict=True))[first_part:] if kind]
    assert not late, f"{stem}.yaml: {late} stand below the first part"


def test_args_file_names_a_workflow() -> None:
    given = json.loads((CONFIGS / "forget_args.json").read_text())
    assert given == {"run_id": "forget", "config_file": "configs/forget.yaml"}


def test_no_path_of_a_machine() -> None:
    for path in FILES.values():
        assert not re.search(r"[\"' ]/(home|Users|tmp|mnt|opt|srv|var)\b", path.read_text()), path.name
