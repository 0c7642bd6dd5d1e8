"""The config that MONAI is evaluating at this moment, found on the stack.

MONAI hands no component the config it stands in, and a workflow's settings reach it in four ways: its file, overlays,
the command line, keyword arguments of the Python API. Only the parser knows them all. It is looked up where the
workspace is made, once a workflow.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from monai.bundle import ConfigExpression, ConfigItem, ConfigParser

_HANDED: ContextVar[Mapping[str, Any] | None] = ContextVar("handed", default=None)


@contextmanager
def handing(values: Mapping[str, Any]) -> Iterator[None]:
    """Let the workflow that is started inside the block have these very values: in a config MONAI changes texts."""
    token = _HANDED.set(dict(values))
    try:
        yield
    finally:
        _HANDED.reset(token)


@dataclass(frozen=True)
class Running:
    """The parser of the running workflow.

    Attributes:
        parser: MONAI's; its `config` is the file with overlays and overrides merged in.
        by_command_line: whether `python -m monai.bundle run` started it, and not a program or another workflow.
        beside: folder that holds `configs/` with the workflow file; None where it lies in no such folder.
        clean: the config without what a tool put into it that knows no settings; None: there was none.
    """

    parser: ConfigParser
    by_command_line: bool
    beside: Path | None = None
    clean: Mapping[str, Any] | None = None

    @property
    def config(self) -> Mapping[str, Any]:
        """What was given, unresolved."""
        return self.clean if self.clean is not None else self.parser.get() or {}

    @property
    def handed(self) -> Mapping[str, Any]:
        """What the workflow that started this one gave it, as it was."""
        return _HANDED.get() or {}

    def resolved(self, name: str) -> Any:
        """The value of an entry, its references resolved and its expression evaluated."""
        return self.parser.get_parsed_content(name)

    def put(self, name: str, value: Any) -> None:
        """Let `@name` be this very value from now on.

        As a config entry MONAI would change it: `#` in a text becomes `::`.
        """
        self.parser.ref_resolver.resolved_content[name] = value

    def replace(self, name: str, value: Any) -> None:
        """Let an entry that was not resolved yet be another: a value, a reference or an expression."""
        *place, last = name.split("::")
        content = self.parser.get()
        for key in place:
            content = content[key]
        content[last] = value
        kind = ConfigExpression if ConfigExpression.is_expression(value) else ConfigItem
        own = {"globals": self.parser.globals} if kind is ConfigExpression else {}
        self.parser.ref_resolver.items[name] = kind(config=value, id=name, **own)


def running() -> Running:
    """The innermost config that is being evaluated.

    Raises:
        RuntimeError: nothing is; a workspace is made by a config.
    """
    frame = inspect.currentframe()
    while frame is not None:
        parser = frame.f_locals.get("self")
        if isinstance(parser, ConfigParser):
            return Running(parser=parser, by_command_line=_by_command_line(frame), beside=_beside(frame))
        frame = frame.f_back
    raise RuntimeError("no config is being evaluated; give Workspace the values themselves")


def _beside(frame: FrameType | None) -> Path | None:
    """The bundle in whose `configs/` the workflow file lies."""
    while frame is not None:
        # Not getattr: MONAI's parser takes an attribute that it does not have for a key of the config.
        found = getattr(frame.f_locals.get("self"), "__dict__", {})
        if "config_root_path" in found:
            folder = Path(found["config_root_path"]).absolute()
            return folder.parent if folder.name == "configs" and (folder.parent / "scripts").is_dir() else None
        frame = frame.f_back
    return None


def _by_command_line(frame: FrameType | None) -> bool:
    """Whether Fire is what called MONAI: then the command line's own words can be read."""
    while frame is not None and frame.f_globals.get("__name__", "").startswith("monai."):
        frame = frame.f_back
    return frame is not None and frame.f_globals.get("__name__", "").startswith("fire.")
