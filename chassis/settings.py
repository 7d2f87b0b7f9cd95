"""Settings from environment variables, read once at start into a frozen object per service."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

Value = TypeVar("Value")
_STAND_IN = "development-only"
_SECRET_LENGTH_MIN = 16


class SettingsError(ValueError):
    """A setting is missing or malformed; the message names it."""


class Environment:
    """Reads settings and says which one is wrong."""

    def __init__(self, values: Mapping[str, str] | None = None) -> None:
        self._values = os.environ if values is None else values

    def text(self, name: str, default: str | None = None) -> str:
        """Read a text.

        Raises:
            SettingsError: it is not set and has no default.
        """
        value = self._values.get(name, default)
        if value is None:
            raise SettingsError(f"{name} must be set")
        return value

    def choice(self, name: str, choices: Sequence[str]) -> str:
        """Read one of `choices`, the first by default. Raises SettingsError when it is none."""
        value = self._values.get(name) or choices[0]
        if value not in choices:
            raise SettingsError(f"{name}={value!r} is none of {', '.join(choices)}")
        return value

    def integer(self, name: str, default: int) -> int:
        """Read a whole number. Raises SettingsError when it is none."""
        return self._parsed(name, default, int)

    def number(self, name: str, default: float) -> float:
        """Read a number. Raises SettingsError when it is none."""
        return self._parsed(name, default, float)

    def secret(self, name: str, *, in_production: bool) -> bytes:
        """Read a secret; outside of production a known stand-in serves where none is set.

        Raises:
            SettingsError: in production it is missing, shorter than 16 characters, or the stand-in.
        """
        text = self._values.get(name, "")
        if in_production and (len(text) < _SECRET_LENGTH_MIN or text == _STAND_IN):
            wanted = f"{_SECRET_LENGTH_MIN} characters or more"
            raise SettingsError(f"{name} must be set in production, to {wanted}")
        return (text or _STAND_IN).encode()

    def _parsed(self, name: str, default: Value, parse: Callable[[str], Value]) -> Value:
        text = self._values.get(name)
        if text is None or text == "":
            return default
        try:
            return parse(text)
        except ValueError as error:
            raise SettingsError(f"{name}={text!r} cannot be read") from error


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """What every service needs to know to serve."""

    service: str
    environment: str  # development or production
    listen: str  # host:port of gRPC, or unix:/path where a sidecar alone comes in
    metrics_listen: str  # host:port of Prometheus; empty for none
    instance_id: str  # stable over restarts; the owner of leases
    log_level: str  # debug, info, warning, error
    drain_s: float  # how long requests under way may take after SIGTERM
    request_timeout_s: float  # the longest deadline, and that of a caller without one
    rpc_count_max: int  # requests at once; more are refused
    fault_points: str  # see chassis.faults; empty in production

    @classmethod
    def read(cls, environment: Environment, service: str) -> "ServerSettings":
        """Read LISTEN, METRICS_LISTEN, ENVIRONMENT and the others.

        Raises:
            SettingsError: one is malformed.
        """
        return cls(
            service=service,
            environment=environment.choice("ENVIRONMENT", ("production", "development")),
            listen=environment.text("LISTEN"),
            metrics_listen=environment.text("METRICS_LISTEN", ""),
            instance_id=environment.text("INSTANCE_ID", f"{service}-0"),
            log_level=environment.text("LOG_LEVEL", "info"),
            drain_s=environment.number("DRAIN_S", 10.0),
            request_timeout_s=environment.number("REQUEST_TIMEOUT_S", 35.0),
            rpc_count_max=environment.integer("RPC_COUNT_MAX", 4096),
            fault_points=environment.text("FAULT_POINTS", ""),
        )

    @property
    def is_production(self) -> bool:
        """Whether reflection and fault points are off."""
        return self.environment == "production"
