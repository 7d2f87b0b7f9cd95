"""What every process is told."""

import stat
import sys
from pathlib import Path

import pytest

from chassis.settings import Environment, ServerSettings
from devstack import plan
from devstack.ports import default_ports
from devstack.processes import Recipe
from devstack.services import SERVICES
from devstack.state import State
from edge_auth.settings import EdgeAuthSettings

PORTS = default_ports()


class FakePostgres:
    """Makes URLs, and nothing else."""

    def url(self, role: str, database: str, *, port: int = 0) -> str:
        """Name the role and the database."""
        return f"postgresql://{role}@127.0.0.1/{database}"


@pytest.fixture
def state(tmp_path: Path) -> State:
    """An empty state folder."""
    state = State(tmp_path)
    state.prepare()
    return state


def recipe(state: State, name: str, **choices: str) -> Recipe:
    """Plan a service."""
    service = next(service for service in SERVICES if service.name == name)
    return plan.service_recipe(service, state, PORTS, FakePostgres(), plan.Choices(**choices))  # type: ignore[arg-type]


def test_a_service_is_told_where_it_listens_and_whom_it_calls(state: State) -> None:
    """Its own database as the app role, and the addresses of its peers."""
    planned = recipe(state, "payment_svc")

    assert planned.command == [sys.executable, "-m", "payment_svc"]
    told = planned.environment
    assert told["LISTEN"] == "127.0.0.1:50051"
    assert told["METRICS_LISTEN"] == "127.0.0.1:9151"
    assert told["PAYMENT_DATABASE_URL"] == "postgresql://payment_app@127.0.0.1/payment"
    assert told["LEDGER_TARGET"] == "127.0.0.1:50052"
    assert told["ENVIRONMENT"] == "development"


def test_no_service_learns_anothers_database_or_secrets(state: State) -> None:
    """Only what is its own is in its environment."""
    told = {s.name: recipe(state, s.name).environment for s in SERVICES}

    for name, environment in told.items():
        databases = [setting for setting in environment if setting.endswith("_DATABASE_URL")]
        assert len(databases) == 1, name
    assert [name for name in told if "STRIPE_API_KEY" in told[name]] == ["psp_gateway"]
    assert [name for name in told if "IDEMPOTENCY_FINGERPRINT_KEY" in told[name]] == ["payment_svc"]


def test_the_users_settings_win_but_for_addresses(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real PSP key is used; a stray LISTEN is not."""
    monkeypatch.setenv("STRIPE_API_KEY", "sk_test_my_own")  # pragma: allowlist secret
    monkeypatch.setenv("LISTEN", "0.0.0.0:1")
    monkeypatch.setenv("PSP_DATABASE_URL", "postgresql://elsewhere/")

    told = recipe(state, "psp_gateway").environment

    assert told["STRIPE_API_KEY"] == "sk_test_my_own"  # pragma: allowlist secret
    assert told["LISTEN"] == "127.0.0.1:50055"
    assert told["PSP_DATABASE_URL"] == "postgresql://psp_app@127.0.0.1/psp"


@pytest.mark.parametrize(
    ("risk", "limits"), [("spec", ["10", "5", "20"]), ("open", ["0", "0", "0"])]
)
def test_risk_limits_are_the_specifications_or_none(
    state: State, risk: str, limits: list[str]
) -> None:
    """Nought means no limit."""
    told = recipe(state, "risk_svc", risk=risk).environment

    names = [f"RISK_VELOCITY_{subject}_PER_HOUR" for subject in ("BUYER", "CARD", "IP")]
    assert [told[name] for name in names] == limits


def test_redis_keeps_its_password_from_the_command_line(state: State) -> None:
    """It is in a file that only we read, and so is what makes Redis durable."""
    planned = plan.redis_recipe(state, PORTS)
    file = Path(planned.command[1])

    assert state.secret("redis") not in " ".join(planned.command)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    lines = file.read_text().splitlines()
    assert {"bind 127.0.0.1", "appendonly yes", "appendfsync everysec"} <= set(lines)
    assert f"requirepass {state.secret('redis')}" in lines


@pytest.mark.parametrize("environment", ["development", "production"])
def test_money_moves_out_unsigned_in_development_alone(state: State, environment: str) -> None:
    """What edge_auth is told starts in both, and encrypts by a keys file of this state; what opens
    former seals it is told by a state that has some.
    """
    told = recipe(state, "edge_auth", environment=environment).environment
    known = Environment(told)
    settings = EdgeAuthSettings.read(known, ServerSettings.read(known, "edge_auth"))

    assert settings.is_unsigned_money_out is (environment == "development")
    assert Path(told["PAYMESH_KEYS_FILE"]).is_relative_to(state.folder)
    assert "EDGE_AUTH_SEALING_KEYS" not in told
    state.keep_secret("edge_auth_sealing", "f" * 48)
    told = recipe(state, "edge_auth", environment=environment).environment
    assert told["EDGE_AUTH_SEALING_KEYS"] == f"local={'f' * 48}"
