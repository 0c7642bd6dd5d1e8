"""The content of config files, and the ids in them, without evaluating anything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from scripts.errors import InputError


def read_config(path: str | Path) -> dict[str, Any]:
    """A config file's own content.

    Raises:
        InputError: the file is missing, cannot be read, or holds no keys.
    """
    import yaml

    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such config file")
    try:
        # libyaml reads a file in a tenth of the time of the parser in Python.
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        text = path.read_text(encoding="utf-8")
        content = yaml.load(text, Loader=loader)
        _refuse_twice(yaml.compose(text, Loader=loader), path)
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise InputError(f"{path}: not a readable YAML or JSON file ({error})") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: holds no keys")
    return content


def _refuse_twice(node: Any, path: Path) -> None:
    """Raise InputError where a key stands twice in one block: YAML takes the last one without a word."""
    if node is None or not isinstance(node.value, list):
        return
    seen: set[str] = set()
    for entry in node.value:
        key, value = entry if isinstance(entry, tuple) else (None, entry)
        if key is not None and isinstance(key.value, str):
            if key.value in seen:
                line = key.start_mark.line + 1
                raise InputError(f"{path}: line {line}: key '{key.value}' stands twice in one block; give it once")
            seen.add(key.value)
        _refuse_twice(value, path)


def known_ids(content: Any, prefix: str = "") -> set[str]:
    """Every id of a config, nested ones with `::`."""
    found: set[str] = set()
    children: Iterable[tuple[Any, Any]] = ()
    if isinstance(content, Mapping):
        children = content.items()
    elif isinstance(content, (list, tuple)):
        children = enumerate(content)
    for key, value in children:
        own = f"{prefix}::{key}" if prefix else str(key)
        found |= {own} | known_ids(value, own)
    return found


def is_expression(value: Any) -> bool:
    """Whether MONAI evaluates the value: `$code`, `@reference` or `%macro`."""
    return isinstance(value, str) and value.startswith(("$", "@", "%"))
