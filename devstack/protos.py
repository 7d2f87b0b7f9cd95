"""Generates stubs/ from protos/, and says whether the committed stubs have drifted from them."""

import argparse
import filecmp
import shutil
import sys
import tempfile
from pathlib import Path

import grpc_tools
from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent
STUBS = ROOT / "stubs"
DESCRIPTOR = "paymesh.binpb"


def generate(target: Path) -> None:
    """Write stubs, type stubs and the descriptor set of all protos below `target`.

    Raises:
        RuntimeError: protoc refused the protos; it has told why on standard error.
    """
    own = sorted(str(path.relative_to(ROOT / "protos")) for path in ROOT.glob("protos/**/*.proto"))
    vendored = ["buf/validate/validate.proto", "ext_authz/external_auth.proto"]
    rpc = ["google/rpc/error_details.proto", "google/rpc/status.proto"]
    include = [f"-I{ROOT / 'protos'}", f"-I{ROOT / 'third_party'}"]
    include.append(f"-I{Path(grpc_tools.__file__).parent / '_proto'}")
    python = [f"--python_out={target}", f"--grpc_python_out={target}"]
    types = [f"--mypy_out=quiet:{target}", f"--mypy_grpc_out=quiet:{target}"]
    _protoc([*include, *python, *types, *own, *vendored])
    # The transcoder answers error details as JSON only if the descriptor set knows their messages.
    descriptor = [f"--descriptor_set_out={target / DESCRIPTOR}", "--include_imports"]
    _protoc([*include, *descriptor, *own, *rpc])


def _protoc(arguments: list[str]) -> None:
    if protoc.main(["protoc", *arguments]) != 0:
        raise RuntimeError("protoc refused the protos")


def _files(folder: Path) -> set[str]:
    found = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return {str(path.relative_to(folder)) for path in found}


def drifted(fresh: Path) -> list[str]:
    """List the files of stubs/ that differ from those in `fresh`."""
    names = _files(fresh) | _files(STUBS)
    _, differing, missing = filecmp.cmpfiles(fresh, STUBS, sorted(names), shallow=False)
    return sorted([*differing, *missing])


def main() -> int:
    """Generate, or with --check compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail on a difference")
    check = parser.parse_args().check
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder) / "stubs"
        fresh.mkdir()
        generate(fresh)
        if check:
            stale = drifted(fresh)
            print(
                "\n".join(["stubs/ is stale; run `make protos`:", *stale]) if stale else "stubs fit"
            )
            return 1 if stale else 0
        shutil.rmtree(STUBS, ignore_errors=True)
        shutil.copytree(fresh, STUBS)
    return 0


if __name__ == "__main__":
    sys.exit(main())
