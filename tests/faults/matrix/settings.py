"""What each process of a lane is told: as in a stack, with shorter waits."""

import random
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from devstack.services import SERVICES
from tests.servers import ServiceDatabase

NAMES = tuple(service.name for service in SERVICES if service.name != "edge_auth")
# Below the ports that outgoing connections get: a killed service must find its own free again.
_PORTS = range(20_000, 32_000)
# More than a saga needs that is killed twice at one step.
CLAIMS_MAX = 4
STRIPE_SECRET = "whsec_matrix"  # pragma: allowlist secret


@dataclass(frozen=True, slots=True)
class Place:
    """Where a lane's parts are."""

    folder: Path
    ports: Mapping[str, int]
    databases: Mapping[str, ServiceDatabase]
    redis_url: str
    more: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # settings by service

    def target(self, service: str) -> str:
        """Name a service's address."""
        return f"127.0.0.1:{self.ports[service]}"

    @property
    def sandbox_url(self) -> str:
        """Name the sandbox's address."""
        return f"http://127.0.0.1:{self.ports['sandbox']}"

    def described(self) -> dict[str, Any]:
        """Describe the lane as stack.json does."""
        return {
            "services": {service: {"grpc": self.target(service)} for service in NAMES},
            "psp_sandbox": {"url": self.sandbox_url},
            "databases": {
                one.context: self.databases[one.name].app_url
                for one in SERVICES
                if one.name in NAMES
            },
        }

    def plan(self, service: str) -> Path:
        """Name the file that says at which point a service dies."""
        return self.folder / f"{service}.plan"

    def environment(self, service: str) -> dict[str, str]:
        """Make the settings of a service."""
        described = next(one for one in SERVICES if one.name == service)
        prefix = described.context.upper()
        return {
            "LISTEN": self.target(service),
            "ENVIRONMENT": "development",
            "INSTANCE_ID": f"{service}-0",
            "LOG_LEVEL": "info",
            "REDIS_URL": self.redis_url,
            "FAULT_POINTS": f"@{self.plan(service)}",
            f"{prefix}_DATABASE_URL": self.databases[service].app_url,
            f"{prefix}_DATABASE_CONNECTIONS": "4",
            **{name: self.target(peer) for name, peer in described.peers.items()},
            **self._own(service),
            **self.more.get(service, {}),
        }

    def _own(self, service: str) -> Mapping[str, str]:
        return {
            "payment_svc": {
                "AUTO_OPEN_SELLERS": "on",
                "CHECKOUT_RETURN_ORIGINS": "https://shop.example",
                "WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
                "WEBHOOK_RETRY_AFTER_S": "1,2,5",
                "SAGA_POLL_S": "0.1",
                "SAGA_LEASE_S": "5",
                "SAGA_CLAIMS_MAX": str(CLAIMS_MAX),
                "WEBHOOK_POLL_S": "0.1",
            },
            "risk_svc": {f"RISK_VELOCITY_{s}_PER_HOUR": "0" for s in ("BUYER", "CARD", "IP")},
            "psp_gateway": {
                "STRIPE_API_KEY": "sk_test_sandbox",  # pragma: allowlist secret
                "STRIPE_API_BASE": f"{self.sandbox_url}/stripe",
                "STRIPE_WEBHOOK_SECRET": STRIPE_SECRET,
                "STRIPE_TIMEOUT_S": "0.6",
                "STRIPE_RETURN_URL": "https://shop.example/back",
                "PSP_INBOX_POLL_S": "0.2",
                "PSP_INBOX_LEASE_S": "1",
                "BANK_OUTBOX": str(self.folder / "bank-outbox"),
            },
        }.get(service, {})


def claim_ports(taken: set[int]) -> Mapping[str, int]:
    """Find ports for a lane that nobody uses now; `taken` are those of other lanes."""
    ports: dict[str, int] = {}
    for name in (*NAMES, "sandbox"):
        port = random.choice(_PORTS)
        while port in taken or not _is_free(port):
            port = random.choice(_PORTS)
        taken.add(port)
        ports[name] = port
    return ports


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
