"""`python -m scripts.foreign DIR`: what of a bundle is code, and the digest by which it is pinned."""

from __future__ import annotations

import argparse

from scripts import errors
from scripts.foreign.folder import ForeignFolder
from scripts.foreign.scan import scan


def main() -> None:
    """Print all findings, a line each, and the digest."""
    errors.install()
    parser = argparse.ArgumentParser(prog="python -m scripts.foreign", description=__doc__)
    parser.add_argument("folder", help="folder of a MONAI bundle; nothing in it is run")
    folder = ForeignFolder(parser.parse_args().folder)
    for finding in scan(folder):
        print(finding)
    print(f"trust_foreign: {folder.digest}")


if __name__ == "__main__":
    main()
