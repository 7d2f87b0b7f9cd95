"""PostgreSQL never runs as root, wherever the checkout lies."""

import os
import subprocess
from pathlib import Path

import pytest

from devstack.postgres import binaries
from devstack.unprivileged import RunAs, choose, give, ways, works

POSTGRES = binaries() / "postgres"


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    """A folder inside one that only its owner may enter."""
    outer = tmp_path / "closed"
    outer.mkdir(mode=0o700)
    (outer / "inside").mkdir()
    return outer / "inside"


def run(way: RunAs, *command: str) -> str:
    """Run a command in a way."""
    uid, gid = way.user or (None, None)
    done = subprocess.run(
        [*way.prefix, *command], user=uid, group=gid, extra_groups=[] if way.user else None,
        cwd="/", capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.strip()


def test_the_chosen_way_is_not_root_and_reaches_a_closed_folder(closed: Path) -> None:
    """The server takes itself for an ordinary user, and its files are within reach."""
    way = choose(POSTGRES, closed)
    (closed / "data").mkdir(mode=0o700)
    give(closed / "data", way)

    assert run(way, "id", "-u") != "0"
    assert run(way, "sh", "-c", f"touch {closed}/data/file && ls {closed}/data") == "file"


def test_every_way_that_works_is_not_root(closed: Path) -> None:
    """Whichever of them a machine allows, PostgreSQL would start."""
    for way in ways() if os.geteuid() == 0 else [RunAs()]:
        if works(way, POSTGRES, closed):
            assert run(way, "id", "-u") != "0"


def test_a_program_that_is_not_there_works_in_no_way(closed: Path) -> None:
    """What cannot be reached is not taken for reachable."""
    assert not any(works(way, closed / "nothing", closed) for way in [RunAs(), *ways()])
