"""The OpenSSF signature of a release: made by the package itself, and found wanting where the folder was changed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from scripts.errors import InputError
from scripts.record.certificate import APART
from scripts.record.keys import HospitalKeys
from scripts.record.signature import SIGNATURE, sign_release, signature_errors


@pytest.fixture
def signed(tmp_path: Path) -> Path:
    HospitalKeys.create(tmp_path / "keys")
    release = tmp_path / "release"
    (release / "tensorboard").mkdir(parents=True)
    (release / "student.pt").write_bytes(b"weights")
    (release / "tensorboard" / "events").write_bytes(b"events")
    sign_release(release, key=tmp_path / "keys" / "model_signing.pem")
    # Written afterwards, about the folder.
    for name in APART:
        (release / name).write_text("{}")
    return tmp_path


def errors(root: Path, key: str = "keys") -> list[str]:
    return signature_errors(root / "release", public_key=root / key / "model_signing.pub.pem")


def test_an_untouched_release_verifies_also_without_this_bundle(signed: Path) -> None:
    assert errors(signed) == []
    release = signed / "release"
    ignored = [part for name in (*APART, SIGNATURE) for part in ("--ignore-paths", str(release / name))]
    key = ["--public_key", str(signed / "keys" / "model_signing.pub.pem")]
    command = [sys.executable, "-m", "model_signing", "verify", "key", str(release), *ignored, *key]
    done = subprocess.run([*command, "--signature", str(release / SIGNATURE)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("change", ["changed", "added", "removed", "unsigned", "signature"])
def test_what_was_changed_is_found(signed: Path, change: str) -> None:
    release = signed / "release"
    if change == "changed":
        (release / "tensorboard" / "events").write_bytes(b"Events")
    elif change == "added":
        (release / "tensorboard" / "more").write_bytes(b"")
    elif change == "removed":
        (release / "student.pt").unlink()
    elif change == "unsigned":
        (release / SIGNATURE).unlink()
    else:
        content = (release / SIGNATURE).read_bytes()
        (release / SIGNATURE).write_bytes(content[: len(content) // 2])
    (found,) = errors(signed)
    assert found.startswith(f"{SIGNATURE} ")


def test_another_key_is_found(signed: Path) -> None:
    HospitalKeys.create(signed / "other")
    assert len(errors(signed, "other")) == 1


def test_a_key_of_another_kind_leaves_nothing(tmp_path: Path) -> None:
    HospitalKeys.create(tmp_path / "keys")
    (tmp_path / "release").mkdir()
    with pytest.raises(InputError, match="signing.pem: not a key on an elliptic curve"):
        sign_release(tmp_path / "release", key=tmp_path / "keys" / "signing.pem")
    assert list((tmp_path / "release").iterdir()) == []
