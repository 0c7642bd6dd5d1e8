"""What of a foreign bundle is code: found by reading, before anything is parsed, because parsing a config runs it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from pydoc import locate
from typing import Any

from scripts.errors import InputError
from scripts.foreign.folder import SUFFIXES, ForeignFolder, read_plain
from scripts.messages import message

# What a block may be made of without being read: parts of networks, transforms, losses and engines. Not the whole of
# these packages: monai.bundle runs other configs, monai.apps fetches files, monai.utils starts programs.
ROOTS = tuple(
    "monai.data monai.engines monai.handlers monai.inferers monai.losses monai.metrics monai.networks monai.optimizers"
    " monai.transforms monai.visualize torch.nn torch.optim ignite.engine ignite.handlers ignite.metrics".split()
)
CODE = (".py", ".pyc", ".pyx", ".so", ".ipynb", ".sh")
SHOWN = 3  # findings in the line of an error


@dataclass(frozen=True)
class Finding:
    """Something that would run: the file, the id in it, and what stands there."""

    path: Path
    where: str
    what: str

    def __str__(self) -> str:
        return message(f"{self.path}: {self.where}{': ' if self.where else ''}{self.what}")


def scan(folder: ForeignFolder) -> list[Finding]:
    """Everything of a bundle that is code or would run code, in the order of its files."""
    found = []
    for path in folder.files():
        name = path.relative_to(folder.root)
        if path.suffix.lower() in CODE:
            found.append(Finding(name, "", "is a program"))
        elif path.name == "logging.conf":
            found.append(Finding(name, "", "configures logging, whose classes and arguments are evaluated"))
        elif name.parts[0] == "configs" and path.suffix in SUFFIXES:
            found += [Finding(name, where, what) for where, what in _evaluated(read_plain(path), "")]
    return found


def require_trust(folder: ForeignFolder, trust: str) -> None:
    """Refuse a bundle with code in it, unless the user has pinned its digest.

    Args:
        trust: digest that the user gives; empty: none.

    Raises:
        InputError: names what would run and the digest to give; the digest given is another bundle's.
    """
    if trust and trust != folder.digest:
        raise InputError(
            f"trust_foreign: {trust} is not the digest of {folder.root}, which is {folder.digest}: the bundle has"
            " changed since it was read, or another one is meant"
        )
    found = [] if trust else scan(folder)
    if found:
        more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        raise InputError(
            f"{folder.root}: holds code that would run: {'; '.join(map(str, found[:SHOWN]))}{more}; list all of it by"
            f" `python -m scripts.foreign {folder.root}`, read it, and if you trust it give"
            f" --trust_foreign {folder.digest}"
        )


def _evaluated(value: Any, where: str) -> Iterator[tuple[str, str]]:
    """Id and text of each expression, macro and foreign target in a config's content."""
    if isinstance(value, Mapping):
        if "_target_" in value and (problem := _foreign(value["_target_"])):
            yield f"{where}::_target_" if where else "_target_", problem
        for key, child in value.items():
            yield from _evaluated(child, f"{where}::{key}" if where else str(key))
    elif isinstance(value, (list, tuple)):
        for place, child in enumerate(value):
            yield from _evaluated(child, f"{where}::{place}")
    elif isinstance(value, str) and value.lstrip().startswith(("$", "%")):
        yield where, f"'{value}' is {'an expression' if value.lstrip().startswith('$') else 'a macro'}"


def _foreign(target: Any) -> str:
    """What is wrong with the target of a block; empty where it may be made without being read."""
    if isinstance(target, str) and target.lstrip().startswith(("$", "%", "@")):
        return f"'{target}' is made while the config is parsed"
    if not isinstance(target, str) or not _known(target):
        return f"'{target}' is not of {', '.join(ROOTS[:3])} and the like"
    return ""


@cache
def _known(target: str) -> bool:
    """Whether a target is an object that one of `ROOTS` defines, by whatever path it is named."""
    if "." not in target:
        modules = _locator().get_component_module_name(target)
        names = [modules] if isinstance(modules, str) else modules or []
        return bool(names) and all(_known(f"{module}.{target}") for module in names)
    if not target.startswith(tuple(f"{root}." for root in ROOTS)):
        return False
    # `monai.data.utils.os.system` begins as it should and is none of MONAI's.
    home = getattr(locate(target), "__module__", None) or ""
    return any(home == root or home.startswith(f"{root}.") for root in ROOTS)


@cache
def _locator() -> Any:
    """MONAI's table of its components by name, which takes seconds to make."""
    from monai.bundle.config_item import ComponentLocator

    return ComponentLocator()
