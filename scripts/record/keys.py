"""The hospital's keys: ids leave a run only as HMAC, and what leaves it is signed.

A plain hash of a record number can be enumerated; an HMAC cannot without the key. Who loses the keys can no longer
recognise a forgotten patient in the tombstones: keep them as patient files are kept, and apart from the runs.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from scripts.errors import InputError
from scripts.files import write_bytes

HMAC, SIGNING, PUBLIC = "hmac.key", "signing.pem", "signing.pub.pem"
MODEL, MODEL_PUBLIC = "model_signing.pem", "model_signing.pub.pem"  # the OpenSSF format knows elliptic curves only
LENGTH = 32  # bytes of the HMAC key


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
        """New keys, readable by their owner alone.

        Raises:
            InputError: there are keys already.
        """
        folder = Path(folder)
        for name in (HMAC, SIGNING, PUBLIC, MODEL, MODEL_PUBLIC):
            if (folder / name).exists():
                raise InputError(f"{folder / name}: exists already; keys are not written over")
        folder.mkdir(parents=True, exist_ok=True)
        os.chmod(folder, 0o700)
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
        return cls.load(folder)

    @classmethod
    def load(cls, folder: str | Path) -> HospitalKeys:
        """The keys of a folder.

        Raises:
            InputError: a file is missing, damaged, or open to others.
        """
        folder = Path(folder)
        for name in (HMAC, SIGNING, MODEL):
            path = folder / name
            if not path.is_file():
                raise InputError(f"{path}: no such key; make the keys with python -m scripts.record keys {folder}")
            if path.stat().st_mode & 0o077:
                raise InputError(f"{path}: others may read it; allowed is mode 0600")
        secret = (folder / HMAC).read_bytes()
        if len(secret) != LENGTH:
            raise InputError(f"{folder / HMAC}: {len(secret)} bytes; {LENGTH} are needed")
        try:
            signing = serialization.load_pem_private_key((folder / SIGNING).read_bytes(), password=None)
        except (ValueError, TypeError) as error:
            raise InputError(f"{folder / SIGNING}: not a readable key") from error
        if not isinstance(signing, Ed25519PrivateKey):
            raise InputError(f"{folder / SIGNING}: not an Ed25519 key")
        return cls(secret=secret, signing=signing, model_key=folder / MODEL)

    def hide(self, level: str, unit: str) -> str:
        """HMAC-SHA256 of a unit's id; the same id of another level gives another value."""
        return hmac.new(self._secret, canonical([level, unit]), hashlib.sha256).hexdigest()

    def sign(self, content: bytes) -> str:
        """Ed25519 signature, hexadecimal."""
        return self._signing.sign(content).hex()


def canonical(content: object) -> bytes:
    """The one JSON form of `content`: sorted, without spaces, ASCII, no NaN."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()


def signed_by(public_pem: str, content: bytes, signature: str) -> bool:
    """Whether the signature is of this content by this key; whatever cannot be read is not."""
    try:
        key = serialization.load_pem_public_key(public_pem.encode())
        if not isinstance(key, Ed25519PublicKey):
            return False
        key.verify(bytes.fromhex(signature), content)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def key_id(public_pem: str) -> str:
    """SHA-256 of a public key."""
    return hashlib.sha256(public_pem.encode()).hexdigest()


def _private_pem(key: Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def _pem(key: Ed25519PublicKey | ec.EllipticCurvePublicKey) -> str:
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
