"""What the services image holds is enough for all that runs in it; no image is built for that."""

import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RUNS = """
import importlib, sys
sys.path[:0] = sys.argv[1:]
for name in ("payment_svc", "ledger_svc", "wallet_svc", "risk_svc", "psp_gateway", "edge_auth"):
    importlib.import_module(f"{name}.__main__")
print(importlib.import_module("devstack.cli").__file__)
"""


def admitted() -> set[str]:
    """Return what the build may see, by .dockerignore: everything else is left out."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in lines
    return {line[1:] for line in lines if line.startswith("!")}


def copied() -> list[str]:
    """Return what the Dockerfile copies from the build's sources into the image."""
    found = re.search(
        r"cp -R ((?:[\w.]+[ \\\n]+)+)/opt/paymesh/source/", (ROOT / "Dockerfile").read_text()
    )
    assert found
    return found.group(1).replace("\\", " ").split()


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """Lay out the sources as in the image: what is copied, of what may be seen."""
    for name in copied():
        for path in (one for one in admitted() if one == name or one.startswith(f"{name}/")):
            source, target = ROOT / path, tmp_path / path
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, target)
    return tmp_path


def test_every_service_and_the_command_start_from_it(image: Path) -> None:
    """No module is missing, and none comes from the checkout instead."""
    # -S: the checkout is on the path by a file that `site` reads; packages are put there by name.
    ways = [image, image / "stubs", image / "client", sysconfig.get_path("purelib")]
    done = subprocess.run(
        [sys.executable, "-S", "-I", "-c", RUNS, *map(str, ways)],
        cwd=image,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().startswith(str(image))
