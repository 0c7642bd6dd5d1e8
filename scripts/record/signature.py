"""The released folder signed in the OpenSSF model-signing format, where that package is installed.

Anyone can then verify it without this bundle: `model_signing verify key RELEASE --signature RELEASE/model.sig
--public_key model_signing.pub.pem --ignore-paths ...`. Certificate and ledger are about the folder and not in it.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from scripts.errors import InputError
from scripts.files import atomic_path
from scripts.record.certificate import APART

SIGNATURE = "model.sig"


def available() -> bool:
    """Whether the package is installed (`pip install model-signing pyOpenSSL`)."""
    return importlib.util.find_spec("model_signing") is not None


def sign_release(release: Path, *, key: Path) -> Path:
    """Write `model.sig` into the folder.

    Args:
        key: private, elliptic curve, PEM.

    Raises:
        InputError: the key is not of that kind.
    """
    from model_signing import signing

    path = release / SIGNATURE
    path.unlink(missing_ok=True)
    with atomic_path(path) as temporary:
        try:
            config = signing.Config().use_elliptic_key_signer(private_key=key)
            config.set_hashing_config(_hashing(release, temporary.name)).sign(release, temporary)
        except (ValueError, TypeError, AttributeError) as error:
            raise InputError(f"{key}: not a key on an elliptic curve") from error
    return path


def signature_errors(release: Path, *, public_key: Path) -> list[str]:
    """What does not hold: no signature, another key, a file that was changed, added or removed."""
    from model_signing import verifying

    path = release / SIGNATURE
    if not path.is_file():
        return [f"{SIGNATURE} is missing"]
    try:
        config = verifying.Config().use_elliptic_key_verifier(public_key=public_key)
        config.set_hashing_config(_hashing(release, SIGNATURE)).verify(release, path)
    except Exception as error:  # the package raises what its parsers raise: whatever does not verify does not hold
        return [f"{SIGNATURE} does not hold: {' '.join(str(error).split())[:200] or type(error).__name__}"]
    return []


def _hashing(release: Path, signature: str) -> Any:
    from model_signing import hashing

    ignored = [release / name for name in (*APART, SIGNATURE, signature)]
    return hashing.Config().set_ignored_paths(paths=ignored, ignore_git_paths=False)
