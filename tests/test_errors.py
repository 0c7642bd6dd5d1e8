"""One line and one exit code for what the operator must mend; everything else keeps its traceback."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.errors import BAD_INPUT, REFUSED, InputError, Refused, disk_full, user_error


def raised(*errors: BaseException) -> BaseException:
    """The last of `errors`, each caused by the one before it."""
    for cause, error in zip(errors, errors[1:], strict=False):
        error.__cause__ = cause
    return errors[-1]


def run(repository: Path, statement: str) -> subprocess.CompletedProcess[str]:
    code = f"from scripts import errors\nerrors.install()\n{statement}"
    return subprocess.run([sys.executable, "-c", code], cwd=repository, capture_output=True, text=True)


def test_message_is_one_line() -> None:
    assert str(InputError("a\n  b\tc ")) == "a b c"


def test_exit_codes_of_the_two_kinds() -> None:
    assert InputError("x").exit_code == BAD_INPUT == 2
    assert Refused("x").exit_code == REFUSED == 6
    assert isinstance(Refused("x"), InputError) and isinstance(InputError("x"), ValueError)


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_user_error_is_found_below_what_wraps_it(depth: int) -> None:
    own = InputError("mend me")
    assert user_error(raised(own, *[RuntimeError(str(i)) for i in range(depth - 1)])) is own


def test_user_error_is_found_as_context() -> None:
    own = InputError("mend me")
    try:
        try:
            raise own
        except InputError:
            raise RuntimeError("while handling it")  # noqa: B904
    except RuntimeError as error:
        assert error.__cause__ is None and user_error(error) is own


def test_nothing_to_mend() -> None:
    assert user_error(None) is None and disk_full(None) is None
    assert user_error(raised(KeyError("a"), RuntimeError("b"))) is None
    assert disk_full(raised(OSError(errno.ENOENT, "no such file"), RuntimeError("b"))) is None


def test_circular_causes_end() -> None:
    first, second = RuntimeError("a"), RuntimeError("b")
    first.__cause__, second.__cause__ = second, first
    assert user_error(first) is None and disk_full(first) is None


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT])
def test_a_disk_that_cannot_be_written_is_for_the_operator(number: int) -> None:
    own = OSError(number, "no")
    assert disk_full(raised(own, RuntimeError("wrapped"))) is own


@pytest.mark.parametrize(
    ("statement", "code", "line"),
    [
        ("raise errors.InputError('request.csv: empty')", 2, "error: request.csv: empty\n"),
        ("raise errors.Refused('no verdict')", 6, "error: no verdict\n"),
        (
            "try:\n  raise errors.InputError('below')\nexcept ValueError as e:\n  raise RuntimeError('above') from e",
            2,
            "error: below\n",
        ),
        ("raise OSError(28, 'No space left on device', 'out/a')", 2, "error: out/a: No space left on device\n"),
    ],
)
def test_front_end_prints_one_line(repository: Path, statement: str, code: int, line: str) -> None:
    done = run(repository, statement)
    assert (done.returncode, done.stderr, done.stdout) == (code, line, "")


def test_unexpected_errors_keep_their_traceback(repository: Path) -> None:
    done = run(repository, "raise KeyError('a bug')")
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback") and "KeyError: 'a bug'" in done.stderr
