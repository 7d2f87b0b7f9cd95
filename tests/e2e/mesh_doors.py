"""The doors of the running mesh, a client that knocks, and what sidecars write down."""

import asyncio
import json
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from devstack.state import State

DEADLINE_S = 60


def door(stack: Mapping[str, Any], name: str) -> tuple[str, int]:
    """Tell where a service's sidecar, or the operators' listener, lets others in."""
    target = stack["operators" if name == "operators" else "services"]
    host, _, port = (target["target"] if name == "operators" else target[name]["grpc"]).partition(
        ":"
    )
    return host, int(port)


def client(folder: Path | None, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    """Make a TLS client of one version with a certificate, or with none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = context.maximum_version = version
    context.set_alpn_protocols(["h2"])
    if folder is not None:
        context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    return context


async def eventually(is_so: Callable[[], bool]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(DEADLINE_S):
        while not await asyncio.to_thread(is_so):  # it may read files, or connect
            await asyncio.sleep(0.05)


def log_lines(state: State, service: str) -> list[dict[str, Any]]:
    """Read the access log of a sidecar, what came in."""
    lines = state.log(f"{service}.sidecar-access").read_text().splitlines()
    return [line for line in map(json.loads, lines) if line["way"] == "in"]
