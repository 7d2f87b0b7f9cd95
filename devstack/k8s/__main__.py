"""Writes k8s/base, or says whether it has drifted from what it is made of."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from devstack.k8s.manifests import FOLDER, stale, write
from devstack.state import StackError


def main(arguments: Sequence[str] | None = None) -> int:
    """Write, or with --check compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail on a difference")
    parser.add_argument(
        "--into", type=Path, help="a folder of your own instead of k8s/base; it holds nothing else"
    )
    parser.add_argument(
        "--trusted-proxies",
        type=int,
        default=0,
        metavar="N",
        help="how many proxies before the edge append to X-Forwarded-For; needs --into",
    )
    told = parser.parse_args(arguments)
    if told.trusted_proxies and told.into is None:
        parser.error("k8s/base trusts nobody: name another folder by --into")
    try:
        return _done(told.into or FOLDER, told.trusted_proxies, is_check=told.check)
    except StackError as error:
        parser.error(str(error))


def _done(folder: Path, trusted_proxies: int, *, is_check: bool) -> int:
    if not is_check:
        write(folder, trusted_proxies=trusted_proxies)
        return 0
    found = stale(folder, trusted_proxies=trusted_proxies)
    name = "k8s/base" if folder == FOLDER else str(folder)
    print("\n".join([f"{name} is stale; write it anew:", *found] if found else [f"{name} fits"]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
