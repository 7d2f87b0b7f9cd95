"""Writes k8s/base, or says whether it has drifted from what it is made of."""

import argparse
import sys

from devstack.k8s.manifests import stale, write


def main() -> int:
    """Write, or with --check compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail on a difference")
    if not parser.parse_args().check:
        write()
        return 0
    found = stale()
    told = ["k8s/base is stale; run `make manifests`:", *found] if found else ["k8s/base fits"]
    print("\n".join(told))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
