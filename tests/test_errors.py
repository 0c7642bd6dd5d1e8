"""One line and one exit code for what the operator must mend; everything else keeps its traceback."""

from __future__ import annotations

import errno
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from scripts.errors import BAD_INPUT, REFUSED, InputError, Refused, disk_full, require_positive, user_error


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
        ("raise OSError(13, 'Permission denied', 'a\x1b')", 2, "error: a\\x1b: Permission denied\n"),
        ("raise errors.InputError('id \x1b[31m')", 2, "error: id \\x1b[31m\n"),
    ],
)
def test_front_end_prints_one_line(repository: Path, statement: str, code: int, line: str) -> None:
    done = run(repository, statement)
    assert (done.returncode, done.stderr, done.stdout) == (code, line, "")


GOES_ON = "what was finished is kept; the same command again goes on from there"
WRAPPED = "try:\n  raise {}\nexcept BaseException as e:\n  raise RuntimeError('above') from e"


@pytest.mark.parametrize("statement", ["raise {}", WRAPPED])
@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        ("KeyboardInterrupt", 130, f"interrupted: {GOES_ON}\n"),
        ("errors.Terminated", 143, f"terminated: {GOES_ON}\n"),
        ("MemoryError", 2, "error: the main memory is too small; fewer images at a time"),
        ("RuntimeError('CUDA out of memory. Tried to allocate')", 2, "error: the GPU memory is too small"),
        ("RuntimeError('DefaultCPUAllocator: can\\'t allocate memory')", 2, "error: the main memory is too small"),
    ],
)
def test_an_end_that_is_no_fault_is_one_line(
    repository: Path, statement: str, error: str, code: int, words: str
) -> None:
    done = run(repository, statement.format(error))
    assert done.returncode == code and done.stderr.startswith(words) and done.stderr.count("\n") == 1


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_with_a_line_and_cleans_up(repository: Path, tmp_path: Path, number: int, code: int) -> None:
    body = (
        "import time\nfrom scripts.files import atomic_path\nfrom scripts import errors\nerrors.install()\n"
        f"with atomic_path({str(tmp_path / 'a')!r}):\n  print('ready', flush=True)\n  time.sleep(60)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", body],
        cwd=repository,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Where the tests run in the background an interruption is ignored, and so it would be here.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    process.send_signal(number)
    _, shown = process.communicate(timeout=30)
    assert process.returncode == code and shown.count("\n") == 1 and GOES_ON in shown
    assert not list(tmp_path.iterdir())


def test_a_traceback_obeys_no_escape_sequence(repository: Path) -> None:
    done = run(repository, "raise KeyError(chr(27) + '[31m') from ValueError(chr(27) + ']0;x')")
    assert done.returncode == 1 and "\x1b" not in done.stderr and "Traceback" in done.stderr


@pytest.mark.parametrize("value", [0, -1, None, "x", True, float("nan"), float("inf"), [1]])
def test_a_number_that_must_be_positive(value: object) -> None:
    with pytest.raises(InputError, match="restore_epochs: .* is not a positive number"):
        require_positive(restore_epochs=value)  # type: ignore[arg-type]


def test_unexpected_errors_keep_their_traceback(repository: Path) -> None:
    done = run(repository, "raise KeyError('a bug')")
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback") and "KeyError: 'a bug'" in done.stderr
