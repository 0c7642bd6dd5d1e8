"""`python -m scripts.record check DIR`, `show DIR`, `keys DIR`, `saw MODEL --id ID`, and `status DIR`."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence
from datetime import date

from scripts.errors import DONE, FAIL, InputError
from scripts.record.check import check_release
from scripts.record.keys import MODEL_PUBLIC, PUBLIC, HospitalKeys, load_keys
from scripts.record.register import Register, exit_code_of
from scripts.record.saw import answers
from scripts.record.show import release_lines


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code: 0 all holds, 2 bad input, 3 something does not hold, or somebody was in a model; as `exit_code_of`."""
    parser = argparse.ArgumentParser(prog="python -m scripts.record", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    check = commands.add_parser("check", help="whether a release folder is what was certified; offline")
    check.add_argument("folder", help="release/ of a committed run")
    check.add_argument("--public-key", default="", help="the hospital's signing.pub.pem, got from elsewhere")
    check.add_argument("--anchor", default="", help="the anchor that the hospital keeps elsewhere")
    check.add_argument("--model-key", default="", help="the hospital's model_signing.pub.pem, got from elsewhere")
    keys = commands.add_parser("keys", help="make the hospital's keys in a new folder")
    keys.add_argument("folder")
    saw = commands.add_parser("saw", help="whether somebody was in a model, its ancestors, its pool")
    saw.add_argument("model", help="file of the weights; its record and lineage lie beside it")
    saw.add_argument("--id", required=True, help="of the patient or image")
    saw.add_argument("--level", default="patient", help="patient or image")
    saw.add_argument("--pool", default="", help="folder of the fold teachers, where they do not lie beside the model")
    saw.add_argument("--key-dir", action="append", default=[], help="folder of the hospital's keys; may be repeated")
    show = commands.add_parser("show", help="what stands in a release folder: verdict, certificates, ledger, lineage")
    show.add_argument("folder", help="release/ of a run")
    status = commands.add_parser("status", help="where each request of an inbox is, and which model is the present one")
    status.add_argument("folder", help="output_dir of run process")
    given = parser.parse_args(argv)
    for stream in (sys.stdout, sys.stderr):
        # Names of files may hold what the terminal's encoding cannot show; that must not end a check.
        stream.reconfigure(errors="backslashreplace") if isinstance(stream, io.TextIOWrapper) else None
    try:
        if given.command == "keys":
            made = HospitalKeys.create(given.folder)
            print(f"keys: {given.folder}; give {PUBLIC} and {MODEL_PUBLIC} to auditors; key {made.key_id}")
            return DONE
        if given.command == "show":
            print("\n".join(release_lines(given.folder)))
            return DONE
        if given.command == "status":
            return _status(given.folder)
        if given.command == "saw":
            return _saw(given.model, given.id, given.level, given.key_dir, given.pool)
        return _check(given.folder, given.public_key, given.anchor, given.model_key)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code


def _status(folder: str) -> int:
    register = Register.read(folder)
    if not register.path.is_file():
        raise InputError(f"{folder}: no request was received here; give the output_dir of run process")
    print("\n".join(register.table(date.today())))
    return exit_code_of(register.rows)


def _saw(model: str, unit: str, level: str, key_dir: list[str], pool: str) -> int:
    keys = load_keys(key_dir) if key_dir else ()
    told = {True: "yes", False: "no", None: "not known"}
    found = list(answers(model, unit, level=level, keys=keys, pool=pool))
    for one in found:
        print(f"{told[one.saw]:9} {one.model}: {one.why}")
    return FAIL if any(one.saw for one in found) else DONE


def _check(folder: str, public_key: str, anchor: str, model_key: str) -> int:
    broken = 0
    for name, errors in check_release(folder, public_key=public_key, anchor=anchor, model_key=model_key):
        print(f"{name}: {'holds' if not errors else '; '.join(errors)}")
        broken += len(errors)
    for option, value, found in (
        ("--public-key", public_key, "a recomputation with another key"),
        ("--anchor", anchor, "a ledger that was cut or put back"),
        ("--model-key", model_key, "a folder that was signed by somebody else"),
    ):
        if not value:
            print(f"not checked: {found} is found with {option} only")
    print("FAIL" if broken else "holds")
    return FAIL if broken else DONE


if __name__ == "__main__":
    raise SystemExit(main())
