"""What risk_svc can be told, and what it refuses to start with."""

from decimal import Decimal

import pytest

from chassis.settings import Environment, ServerSettings, SettingsError
from risk_svc.domain.assessment import Subject
from risk_svc.settings import RiskSettings

NEEDED = {
    "LISTEN": "127.0.0.1:0",
    "RISK_DATABASE_URL": "postgresql://db/risk",
    "REDIS_URL": "redis://cache/0",
    "RISK_SUBJECT_KEY": "a-long-enough-secret",
}


def read(**changes: str) -> RiskSettings:
    """Read the settings as production does, with changes."""
    environment = Environment({**NEEDED, **changes})
    return RiskSettings.read(environment, ServerSettings.read(environment, "risk_svc"))


def test_defaults_are_the_specifications() -> None:
    """10 per buyer, 5 per card, 20 per address, 100000 of any currency."""
    limits = read().limits

    assert limits.velocity == {Subject.BUYER: 10, Subject.CARD: 5, Subject.IP: 20}
    assert (limits.amount, limits.amount_by_currency) == (Decimal(100_000), {})


@pytest.mark.parametrize(
    ("text", "general", "by_currency"),
    [
        ("", 100_000, {}),
        ("0", 0, {}),
        ("500.50", "500.50", {}),
        ("USD=100000,JPY=10000000", 100_000, {"USD": 100_000, "JPY": 10_000_000}),
        ("500, JPY = 0 ,", 500, {"JPY": 0}),
    ],
)
def test_amount_max(text: str, general: str, by_currency: dict[str, int]) -> None:
    """A bare number is for every currency that is not named."""
    limits = read(RISK_AMOUNT_MAX=text).limits

    assert limits.amount == Decimal(general)
    assert limits.amount_by_currency == {code: Decimal(n) for code, n in by_currency.items()}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RISK_SUBJECT_KEY", ""),
        ("RISK_SUBJECT_KEY", "short"),
        ("RISK_SUBJECT_KEY", "development-only"),
        ("RISK_VELOCITY_BUYER_PER_HOUR", "-1"),
        ("RISK_VELOCITY_CARD_PER_HOUR", "10001"),
        ("RISK_VELOCITY_IP_PER_HOUR", "many"),
        ("RISK_AMOUNT_MAX", "-1"),
        ("RISK_AMOUNT_MAX", "NaN"),
        ("RISK_AMOUNT_MAX", "USD="),
        ("RISK_AMOUNT_MAX", "=5"),
        ("RISK_AMOUNT_MAX", "XXZ=5"),
    ],
)
def test_nonsense_is_refused_by_name(name: str, value: str) -> None:
    """A setting that cannot be meant keeps the service from starting, and is named."""
    with pytest.raises(SettingsError, match=name):
        read(**{name: value})


def test_development_needs_no_key() -> None:
    """Outside production a key is at hand."""
    assert read(ENVIRONMENT="development", RISK_SUBJECT_KEY="").subject_key


def test_more_attempts_are_kept_than_any_limit_allows() -> None:
    """The count of a subject never stops at or below its limit."""
    assert read().attempts_kept_max == 1_000
    assert read(RISK_VELOCITY_IP_PER_HOUR="10000").attempts_kept_max == 10_001
