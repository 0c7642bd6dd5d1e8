"""The hospital's keys: where they may lie, what they must be, and several of them at once."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from scripts.errors import InputError
from scripts.record import __main__ as record
from scripts.record.keys import HospitalKeys, load_keys

PLACES = ["run", "run/keys", "run/release", "run/release/a/keys", "run/private/keys", "run/export/keys", "link/keys"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("hospital")
    HospitalKeys.create(root / "keys")
    HospitalKeys.create(root / "other")
    return root


@pytest.fixture
def keys(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made / "keys", tmp_path / "keys")
    return tmp_path / "keys"


def run_in(root: Path) -> None:
    for name in ("private", "release"):
        (root / "run" / name).mkdir(parents=True)
    (root / "link").symlink_to(root / "run" / "release")


@pytest.mark.parametrize("place", PLACES)
def test_no_keys_inside_a_run(made: Path, tmp_path: Path, capsys, place: str) -> None:
    run_in(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert record.main(["keys", str(tmp_path / place)]) == 2
    assert "lies inside the run" in capsys.readouterr().err and sorted(tmp_path.rglob("*")) == before
    shutil.copytree(made / "keys", tmp_path / place, dirs_exist_ok=True)
    with pytest.raises(InputError, match="key_dir: .* lies inside the run"):
        HospitalKeys.load(tmp_path / place)


def test_a_link_from_a_run_is_inside_it(made: Path, tmp_path: Path) -> None:
    run_in(tmp_path)
    (tmp_path / "run" / "release" / "keys").symlink_to(made / "keys")
    with pytest.raises(InputError, match="lies inside the run"):
        HospitalKeys.load(tmp_path / "run" / "release" / "keys")


def test_no_keys_inside_a_released_folder(tmp_path: Path) -> None:
    (tmp_path / "certificate.json").write_text("{}")
    with pytest.raises(InputError, match="lies inside the run"):
        HospitalKeys.create(tmp_path / "keys")


def test_keys_have_a_folder_of_their_own(tmp_path: Path, capsys) -> None:
    (tmp_path / "home").mkdir(mode=0o755)
    (tmp_path / "home" / "file").write_text("x")
    assert record.main(["keys", str(tmp_path / "home")]) == 2
    assert "holds other files" in capsys.readouterr().err
    assert (tmp_path / "home").stat().st_mode & 0o777 == 0o755
    assert record.main(["keys", str(tmp_path / "home" / "file")]) == 2
    assert record.main(["keys", str(tmp_path / "home" / "file" / "keys")]) == 2
    assert record.main(["keys", ""]) == 2
    (tmp_path / "empty").mkdir()
    (tmp_path / "way").symlink_to(tmp_path / "empty")
    assert record.main(["keys", str(tmp_path / "way")]) == 0
    assert (tmp_path / "empty").stat().st_mode & 0o777 == 0o700
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "home", "way"]


def pem(key) -> bytes:
    none = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, none)


RSA = pem(rsa.generate_private_key(public_exponent=65537, key_size=2048))
P384 = pem(ec.generate_private_key(ec.SECP384R1()))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("hmac.key", b"", "0 bytes; 32 are needed"),
        ("hmac.key", b"x" * 33, "33 bytes; 32 are needed"),
        ("hmac.key", b"x" * 10**6, "is larger than"),
        ("signing.pem", b"", "not a readable key"),
        ("signing.pem", RSA, "not an Ed25519 key"),
        ("signing.pem", P384, "not an Ed25519 key"),
        ("model_signing.pem", b"\xff", "not a readable key"),
        ("model_signing.pem", RSA, "not a key on the elliptic curve P-256"),
        ("model_signing.pem", P384, "not a key on the elliptic curve P-256"),
        ("signing.pub.pem", b"", "does not belong to the private key"),
        ("model_signing.pub.pem", b"[]", "does not belong to the private key"),
    ],
)
def test_a_file_of_another_kind_is_named(keys: Path, name: str, content: bytes, message: str) -> None:
    (keys / name).write_bytes(content)
    with pytest.raises(InputError, match=f"{name}: .*{message}"):
        HospitalKeys.load(keys)


@pytest.mark.parametrize("name", ["signing.pub.pem", "model_signing.pub.pem", "signing.pem", "model_signing.pem"])
def test_keys_of_two_folders_are_not_mixed(made: Path, keys: Path, name: str) -> None:
    shutil.copy(made / "other" / name, keys / name)
    with pytest.raises(InputError, match="does not belong to the private key beside it"):
        HospitalKeys.load(keys)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda path, out: path.symlink_to(out), "is a link out of"),
        (lambda path, out: path.symlink_to("nothing"), "cannot be read"),
        (lambda path, out: os.mkfifo(path, 0o600), "is a pipe"),
        (lambda path, out: path.mkdir(0o700), "is a folder"),
        (lambda path, out: None, "no such key"),
    ],
)
@pytest.mark.parametrize("name", ["hmac.key", "signing.pem", "model_signing.pem"])
def test_a_key_is_a_file_in_its_folder(
    made: Path, keys: Path, name: str, change: Callable[[Path, Path], None], message: str
) -> None:
    (keys / name).unlink()
    change(keys / name, made / "keys" / name)
    with pytest.raises(InputError, match=f"{name}: .*{message}"):
        HospitalKeys.load(keys)


def test_links_inside_the_folder_are_followed(made: Path, keys: Path) -> None:
    """As a cluster mounts its secrets."""
    (keys / "..data").mkdir()
    for name in ("hmac.key", "signing.pem", "model_signing.pem", "signing.pub.pem"):
        (keys / name).rename(keys / "..data" / name)
        (keys / name).symlink_to(f"..data/{name}")
    assert HospitalKeys.load(keys).key_id == HospitalKeys.load(made / "keys").key_id


def test_one_folder_or_several(made: Path) -> None:
    one, other = str(made / "keys"), str(made / "other")
    ids = [HospitalKeys.load(folder).key_id for folder in (one, other)]
    assert [keys.key_id for keys in load_keys(one)] == ids[:1]
    assert [keys.key_id for keys in load_keys([one, other])] == ids
    assert [keys.key_id for keys in load_keys([other, one, other])] == ids[::-1]
    with pytest.raises(InputError, match="key_dir: none is given"):
        load_keys([])
    for wrong in (5, None, True, "", [1], [one, ""], {one: other}):
        with pytest.raises(InputError, match="key_dir: .* is neither a folder nor a list of folders"):
            load_keys(wrong)  # type: ignore[arg-type]
