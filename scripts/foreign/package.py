"""A bundle's own `scripts` beside ours: each sees its own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

PACKAGE = "scripts"
_LOADED: dict[str, dict[str, ModuleType]] = {}  # folder of a bundle -> the modules of its package


def _modules() -> dict[str, ModuleType]:
    return {name: module for name, module in sys.modules.items() if name.partition(".")[0] == PACKAGE}


@contextmanager
def foreign_imports(root: Path) -> Iterator[None]:
    """Inside the block `import scripts` finds the bundle's package; afterwards ours again.

    Classes that were imported inside go on working, for their modules are bound by then. What they import only when
    they are called is not found. No bytecode is written into the bundle.
    """
    own, path, bytecode = _modules(), list(sys.path), sys.dont_write_bytecode
    for name in own:
        del sys.modules[name]
    sys.modules.update(_LOADED.get(str(root), {}))
    sys.path.insert(0, str(root))
    sys.dont_write_bytecode = True
    try:
        yield
    finally:
        _LOADED[str(root)] = theirs = _modules()
        for name in theirs:
            del sys.modules[name]
        sys.modules.update(own)
        sys.path[:], sys.dont_write_bytecode = path, bytecode
