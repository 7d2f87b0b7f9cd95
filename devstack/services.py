"""The services of the mesh in one table: ports, databases, and whom each must reach."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Service:
    """A service of ours, started as `python -m name`."""

    name: str
    context: str  # its database, and the prefix of its DATABASE_URL
    port: int
    metrics_port: int
    peers: Mapping[str, str]  # setting → service


SERVICES = (
    Service("ledger_svc", "ledger", 50052, 9152, {}),
    Service("wallet_svc", "wallet", 50053, 9153, {"LEDGER_TARGET": "ledger_svc"}),
    Service("risk_svc", "risk", 50054, 9154, {}),
    Service("psp_gateway", "psp", 50055, 9155, {"PAYMENT_TARGET": "payment_svc"}),
    Service("edge_auth", "edge_auth", 50057, 9157, {}),
    Service(
        "payment_svc",
        "payment",
        50051,
        9151,
        {
            "RISK_TARGET": "risk_svc",
            "PSP_TARGET": "psp_gateway",
            "WALLET_TARGET": "wallet_svc",
            "LEDGER_TARGET": "ledger_svc",
        },
    ),
)

# Ports of everything else; PostgreSQL and Redis keep clear of what a machine may run already.
OTHER_PORTS: Mapping[str, int] = {
    "edge": 8080,
    "edge_tls": 8443,
    "edge_admin": 9901,
    "operators": 8081,
    "sandbox": 8090,
    "postgres": 15432,
    "redis": 16379,
}
