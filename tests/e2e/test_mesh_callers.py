"""Every caller at every method of the running mesh: let in, or refused before the service hears."""

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest

from devstack.mesh.authority import Leaf, read_authority
from devstack.mesh.callers import read_callers
from devstack.mesh.certificates import Certificates, utc_now
from devstack.mesh.contracts import methods
from devstack.mesh.identities import DEVELOPMENT, WORKLOADS
from devstack.mesh.secret_folder import write
from devstack.services import SERVICES
from devstack.state import State, reachable_folder
from tests.mesh_callers import is_let_in, mesh_callers

ROGUE = "rogue"  # has a certificate of our authority, and is in no row of the table
AT_ONCE = 16
PATHS = [method.path for found in methods().values() for method in found.values()]


@pytest.fixture
def certificates(mesh_state: State, tmp_path: Path) -> dict[str, Path]:
    """The certificates of everybody in the mesh, and a rogue's."""
    kept = Certificates(mesh_state.certificates)
    ca = mesh_state.certificates / "ca"
    authority = read_authority(Leaf((ca / "ca.crt").read_bytes(), (ca / "ca.key").read_bytes()))
    lifetime = kept.list()[-1].not_after - utc_now()
    leaf = authority.issue(DEVELOPMENT.workload(ROGUE), now=utc_now(), lifetime=lifetime)
    write(tmp_path / ROGUE, leaf, (ca / "ca.crt").read_bytes())
    return {**{name: kept.workload(name) for name in WORKLOADS}, ROGUE: tmp_path / ROGUE}


async def test_every_caller_at_every_method(
    mesh_stack: dict[str, Any], certificates: dict[str, Path]
) -> None:
    """What envoy/callers.yaml allows comes through; all else is PERMISSION_DENIED."""
    table = read_callers(in_development=True)
    allowed = {
        (caller, row.path)
        for caller in WORKLOADS
        for service in SERVICES
        for row in table.calls(caller, service.name)
    }
    turns = asyncio.Semaphore(AT_ONCE)
    wrong: list[tuple[str, str, bool]] = []

    async def ask(caller: str, channel: grpc.aio.Channel, path: str) -> None:
        wanted = bool({(caller, path), (caller, path.rpartition("/")[0] + "/")} & allowed)
        async with turns:
            if await is_let_in(channel, path) != wanted:
                wrong.append((caller, path, wanted))

    with reachable_folder("mesh-") as folder:
        async with mesh_callers(folder, mesh_stack, certificates) as targets:
            for caller, target in targets.items():
                async with grpc.aio.insecure_channel(target) as channel:
                    await asyncio.gather(*(ask(caller, channel, path) for path in PATHS))

    assert wrong == []
    assert len(PATHS) > 80
