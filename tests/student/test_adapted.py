"""Importing the light parts of the room must not cost what PEFT costs."""

from __future__ import annotations

import subprocess
import sys


def test_peft_is_not_imported_by_the_room():
    code = (
        "import sys, scripts.student.scope, scripts.student.teacher, scripts.student.adapter;"
        "import scripts.student.whole, scripts.student.storage;"
        "sys.exit(any(name in sys.modules for name in ('peft', 'transformers', 'monai')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
