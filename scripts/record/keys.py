"""The hospital's keys: ids leave a run only as HMAC, and what leaves it is signed.

A plain hash of a record number can be enumerated; an HMAC cannot without the key. Who loses the keys can no longer
recognise a forgotten patient in the tombstones: keep them as patient files are kept, and apart from the runs.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
import tempfile
from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from scripts.errors import InputError
from scripts.files import write_bytes
from scripts.record.contents import Unreadable, read_regular
from scripts.record.places import refuse_inside_run

HMAC, SIGNING, PUBLIC = "hmac.key", "signing.pem", "signing.pub.pem"
MODEL, MODEL_PUBLIC = "model_signing.pem", "model_signing.pub.pem"  # the OpenSSF format knows elliptic curves only
LENGTH = 32  # bytes of the HMAC key
LARGEST_KEY = 2**16  # bytes; a key file is far smaller, and something larger is no key
SIGNED = re.compile("[0-9a-f]{128}")


class HospitalKeys:
    """An HMAC key, an Ed25519 key and one for models in one folder; `python -m scripts.record keys DIR` makes it.

    Attributes:
        model_key: path of the key that signs model folders, elliptic curve P-256.
        public_pem: the public key.
        key_id: SHA-256 of the public key.
    """

    def __init__(self, *, secret: bytes, signing: Ed25519PrivateKey, model_key: Path) -> None:
        self._secret, self._signing, self.model_key = secret, signing, model_key
        self.public_pem = _pem(signing.public_key())
        self.key_id = key_id(self.public_pem)

    @classmethod
    def create(cls, folder: str | Path) -> HospitalKeys:
        """New keys in a folder of their own, readable by their owner alone; all of them or none.

        Raises:
            InputError: there are keys or other files already, the folder lies inside a run, or cannot be made.
        """
        if not str(folder):
            raise InputError("keys: no folder is named")
        refuse_inside_run(folder, setting="keys")
        target = Path(os.path.realpath(folder))
        for name in (HMAC, SIGNING, PUBLIC, MODEL, MODEL_PUBLIC):
            if os.path.lexists(target / name):
                raise InputError(f"{target / name}: exists already; keys are not written over")
        try:
            if target.exists() and any(target.iterdir()):
                raise InputError(f"keys: {folder} holds other files; keys have a folder of their own")
            target.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as made:
                _write_new(Path(made) / "keys")
                os.replace(Path(made) / "keys", target)
        except OSError as error:
            raise InputError(f"keys: {folder} cannot be made ({error.strerror})") from error
        return cls.load(target)

    @classmethod
    def load(cls, folder: str | Path) -> HospitalKeys:
        """The keys of a folder.

        Raises:
            InputError: the folder lies inside a run; a file is missing, damaged, of another kind, open to others or
                a link out of the folder; a public key does not belong to its private one.
        """
        refuse_inside_run(folder, setting="key_dir")
        folder = Path(folder)
        content = {name: _read_private(folder, name) for name in (HMAC, SIGNING, MODEL)}
        if len(content[HMAC]) != LENGTH:
            raise InputError(f"{folder / HMAC}: {len(content[HMAC])} bytes; {LENGTH} are needed")
        signing = _private_key(folder / SIGNING, content[SIGNING])
        if not isinstance(signing, Ed25519PrivateKey):
            raise InputError(f"{folder / SIGNING}: not an Ed25519 key")
        models = _private_key(folder / MODEL, content[MODEL])
        if not isinstance(models, ec.EllipticCurvePrivateKey) or not isinstance(models.curve, ec.SECP256R1):
            raise InputError(f"{folder / MODEL}: not a key on the elliptic curve P-256")
        for name, key in ((PUBLIC, signing), (MODEL_PUBLIC, models)):
            _require_public(folder / name, _pem(key.public_key()))
        return cls(secret=content[HMAC], signing=signing, model_key=folder / MODEL)

    def hide(self, level: str, unit: str) -> str:
        """HMAC-SHA256 of a unit's id; the same id of another level gives another value."""
        return hmac.new(self._secret, canonical([level, unit]), hashlib.sha256).hexdigest()

    def sign(self, content: bytes) -> str:
        """Ed25519 signature, hexadecimal."""
        return self._signing.sign(content).hex()


def canonical(content: object) -> bytes:
    """The one JSON form of `content`: sorted, without spaces, ASCII, no NaN."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()


def signed_by(public_pem: object, content: bytes, signature: object) -> bool:
    """Whether the signature is of this content by this key; whatever cannot be read is not.

    Only the one form in which signatures are written is read: 128 lower-case hexadecimal digits.
    """
    if not isinstance(public_pem, str) or not isinstance(signature, str) or not SIGNED.fullmatch(signature):
        return False
    try:
        key = serialization.load_pem_public_key(public_pem.encode())
        if not isinstance(key, Ed25519PublicKey):
            return False
        key.verify(bytes.fromhex(signature), content)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        return False
    return True


def is_public_key(content: bytes) -> bool:
    """Whether the bytes are a public Ed25519 key as `keys` writes it."""
    try:
        key = serialization.load_pem_public_key(content)
        return isinstance(key, Ed25519PublicKey) and _pem(key).encode() == content
    except (UnsupportedAlgorithm, ValueError, TypeError):
        return False


def is_model_key(content: bytes) -> bool:
    """Whether the bytes are a public key of the kind that signs model folders."""
    try:
        return isinstance(serialization.load_pem_public_key(content), ec.EllipticCurvePublicKey)
    except (UnsupportedAlgorithm, ValueError, TypeError):
        return False


def load_keys(key_dir: str | Path | Sequence[str | Path]) -> tuple[HospitalKeys, ...]:
    """The keys of one folder or of several; the first signs, all are read.

    After a change of keys the old folder is given behind the new one, so that what was hidden with it is recognised.

    Raises:
        InputError: no folder, a value that is no path, or as `HospitalKeys.load`.
    """
    folders = [key_dir] if isinstance(key_dir, str | Path) else key_dir
    if not isinstance(folders, Sequence) or not all(isinstance(one, str | Path) and str(one) for one in folders):
        raise InputError(f"key_dir: {str(key_dir)[:80]!r} is neither a folder nor a list of folders")
    if not folders:
        raise InputError("key_dir: none is given; make the keys with python -m scripts.record keys DIR")
    loaded = {keys.key_id: keys for keys in map(HospitalKeys.load, folders)}
    return tuple(loaded.values())


def key_id(public_pem: str) -> str:
    """SHA-256 of a public key."""
    return hashlib.sha256(public_pem.encode()).hexdigest()


def _write_new(folder: Path) -> None:
    folder.mkdir(mode=0o700)
    signing, models = Ed25519PrivateKey.generate(), ec.generate_private_key(ec.SECP256R1())
    mask = os.umask(0o077)
    try:
        write_bytes(folder / HMAC, secrets.token_bytes(LENGTH))
        for name, key in ((SIGNING, signing), (MODEL, models)):
            write_bytes(folder / name, _private_pem(key))
    finally:
        os.umask(mask)
    write_bytes(folder / PUBLIC, _pem(signing.public_key()).encode())
    write_bytes(folder / MODEL_PUBLIC, _pem(models.public_key()).encode())


def _read_private(folder: Path, name: str) -> bytes:
    """A private file of a key folder: a link must stay inside the folder, and nobody else may read it."""
    path = folder / name
    if not os.path.lexists(path):
        raise InputError(f"{path}: no such key; make the keys with python -m scripts.record keys {folder}")
    target = Path(os.path.realpath(path))
    if not target.is_relative_to(os.path.realpath(folder)):
        raise InputError(f"{path}: is a link out of {folder}; keys lie in their own folder")
    try:
        if target.stat().st_mode & 0o077:
            raise InputError(f"{path}: others may read it; allowed is mode 0600")
        return read_regular(target, largest=LARGEST_KEY)
    except Unreadable as error:
        raise InputError(f"{path}: {error}") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error


def _private_key(path: Path, content: bytes) -> object:
    try:
        return serialization.load_pem_private_key(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InputError(f"{path}: not a readable key") from error


def _require_public(path: Path, pem: str) -> None:
    """Refuse a public key that lies beside a private one to which it does not belong; it may be missing."""
    if not os.path.lexists(path):
        return
    try:
        same = read_regular(os.path.realpath(path), largest=LARGEST_KEY) == pem.encode()
    except Unreadable as error:
        raise InputError(f"{path}: {error}") from error
    if not same:
        raise InputError(f"{path}: does not belong to the private key beside it; auditors would check with another")


def _private_pem(key: Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def _pem(key: Ed25519PublicKey | ec.EllipticCurvePublicKey) -> str:
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
