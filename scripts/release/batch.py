"""Several requests that one student answers: each has a certificate of its own, in `release/certificates/`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.errors import InputError, Refused
from scripts.files import write_json
from scripts.record.certificate import FOLDER, file_hashes
from scripts.record.signature import SIGNATURE
from scripts.request import Request, read_request


def batch_parts(files: Sequence[str], request: Mapping[str, Any]) -> list[Request]:
    """The requests of a batch, after checking that together they are what the run was made for.

    Args:
        files: of the requests; empty where the run answers one request alone.
        request: of the run.

    Raises:
        InputError: a file cannot be read, or two of them have one id.
        Refused: together they ask for something else than the run forgot.
    """
    parts = [read_request(file) for file in files]
    names = [part.request_id for part in parts]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"batch_of: several requests are called '{twice[0]}'; each has a name of its own")
    for part in parts:
        if part.level != request["level"]:
            raise Refused(f"batch_of: {part.path}: level '{part.level}' is not that of the run, '{request['level']}'")
    together = sorted({unit for part in parts for unit in part.ids})
    if parts and together != sorted(request["ids"]):
        raise Refused("batch_of: together the files name other ids than the request of the run; give all of its parts")
    return sorted(parts, key=lambda part: part.request_id)


def write_certificates(release: Path, parts: Sequence[Mapping[str, Any]], build: Callable[..., dict[str, Any]]) -> None:
    """One certificate for each request of a batch, numbered; the certificate of the whole lists them.

    Args:
        parts: hidden requests, as a certificate names them.
        build: `request`, `files` -> the signed certificate.
    """
    if not parts:
        return
    # An interrupted commit may have written some of them, and the signature of the folder, already.
    files = {
        name: digest
        for name, digest in file_hashes(release).items()
        if name != SIGNATURE and not name.startswith(f"{FOLDER}/")
    }
    for number, part in enumerate(parts, start=1):
        write_json(release / FOLDER / f"{number:04d}.json", build(request=part, files=files))
