"""What edge_auth must be told in production, and what it must not."""

import base64

import pytest

from chassis.settings import Environment, ServerSettings, SettingsError
from edge_auth.settings import EdgeAuthSettings

GOOD = {
    "LISTEN": "127.0.0.1:1",
    "EDGE_AUTH_DATABASE_URL": "postgresql://x",
    "REDIS_URL": "redis://x",
    "PAYMESH_KEY": f"k1 {base64.b64encode(bytes(range(32))).decode()}",
}


def read(**changes: str) -> EdgeAuthSettings:
    """Read the settings of production with some changed."""
    environment = Environment({**GOOD, **changes})
    return EdgeAuthSettings.read(environment, ServerSettings.read(environment, "edge_auth"))


def test_production_signs_and_limits_by_default() -> None:
    """Nothing has to be said for money to move out signed alone, and for limits to be on."""
    settings = read()

    assert not settings.is_unsigned_money_out
    assert min(settings.rates.client_per_second, settings.rates.address_per_second) > 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("UNSIGNED_MONEY_OUT", "on"),
        ("PAYMESH_KEY", ""),
        ("PAYMESH_KEY", f"development-only {base64.b64encode(bytes(32)).decode()}"),
        ("EDGE_AUTH_SEALING_KEYS", "k1=short"),
    ],
)
def test_production_refuses_what_is_for_development(name: str, value: str) -> None:
    """The exemption and the known key are refused at start, by name."""
    with pytest.raises(SettingsError, match=name):
        read(**{name: value})


def test_development_needs_neither() -> None:
    """There the exemption may be on, and a known key wraps."""
    settings = read(ENVIRONMENT="development", UNSIGNED_MONEY_OUT="on", PAYMESH_KEY="")

    assert settings.is_unsigned_money_out
