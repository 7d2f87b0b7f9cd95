"""The webhooks' knobs: defaults, and what must not start."""

from collections.abc import Mapping
from datetime import timedelta

import pytest

from chassis.settings import Environment, ServerSettings, SettingsError
from payment_svc.webhooks.settings import WebhookSettings

LONG = "0123456789abcdef0123"  # pragma: allowlist secret


def read(environment: str, values: Mapping[str, str]) -> WebhookSettings:
    """Read the settings in an environment."""
    told = Environment({"LISTEN": "127.0.0.1:1", "ENVIRONMENT": environment, **values})
    return WebhookSettings.read(told, ServerSettings.read(told, "payment_svc"))


def test_production_is_strict_by_default() -> None:
    """Public addresses alone, three days, two at once per endpoint, a lease that outlasts a try."""
    settings = read("production", {"WEBHOOK_SECRET_KEY": LONG})

    assert settings.rules.is_production
    assert settings.rules.allowed == ()
    assert settings.schedule.budget == timedelta(days=3)
    assert settings.per_endpoint_max == 2
    assert settings.lease > timedelta(seconds=settings.timeout_s)


def test_the_key_before_is_kept_at_hand() -> None:
    """New secrets come of the new key; those of the old one can be made still."""
    old = read("production", {"WEBHOOK_SECRET_KEY": LONG})
    values = {"WEBHOOK_SECRET_KEY": LONG[::-1], "WEBHOOK_SECRET_KEY_PREVIOUS": LONG}
    new = read("production", values)

    assert new.keys.keys == (LONG[::-1].encode(), LONG.encode())
    assert new.keys.newest != old.keys.newest


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"WEBHOOK_SECRET_KEY": LONG[:8]},
        {"WEBHOOK_SECRET_KEY": LONG, "WEBHOOK_ALLOWED_NETWORKS": "10.0.0.1/8"},
        {"WEBHOOK_SECRET_KEY": LONG, "WEBHOOK_RETRY_AFTER_S": "5,soon"},
        {"WEBHOOK_SECRET_KEY": LONG, "WEBHOOK_RETRY_AFTER_S": "5,0"},
    ],
)
def test_what_is_wrong_does_not_start(values: Mapping[str, str]) -> None:
    """The message names the setting, and no secret."""
    with pytest.raises(SettingsError, match="WEBHOOK_") as refusal:
        read("production", values)

    assert LONG not in str(refusal.value)
