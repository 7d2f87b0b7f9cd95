"""Reads envoy/callers.yaml: who may call what."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devstack.mesh.contracts import methods
from devstack.mesh.identities import WORKLOADS
from devstack.services import SERVICES
from devstack.state import StackError

TABLE = Path(__file__).resolve().parents[2] / "envoy" / "callers.yaml"
ALL = "*"
_EVERYWHERE, _IN_DEVELOPMENT = "everywhere", "in_development"
# gRPC's own and Envoy's: what is none of our protos.
_FOREIGN = {
    "grpc.health.v1.Health": (),
    "grpc.reflection.v1alpha.ServerReflection": (),
    "envoy.service.auth.v3.Authorization": ("Check",),
}


class InvalidCallers(StackError):
    """The table names what is not there, or says nothing of what is."""


@dataclass(frozen=True, slots=True)
class Row:
    """Who may call a method, or with "*" all methods, of a gRPC service at a service of ours."""

    service: str
    grpc_service: str
    method: str
    callers: tuple[str, ...]

    @property
    def path(self) -> str:
        """The path of its method, or what those of all begin with."""
        return f"/{self.grpc_service}/{'' if self.method == ALL else self.method}"


class Callers:
    """The table; `in_development` with the rows for development alone."""

    def __init__(self, table: Mapping[str, Any], *, in_development: bool) -> None:
        parts = dict(table)
        everywhere = parts.pop(_EVERYWHERE)
        only_there = parts.pop(_IN_DEVELOPMENT)
        shared = {**everywhere, **only_there} if in_development else everywhere
        self._rows = {
            service: tuple(_rows(service, {**parts.get(service, {}), **shared}))
            for service in [s.name for s in SERVICES]
        }
        _check(parts, [*_rows("", everywhere), *_rows("", only_there)])

    def of(self, service: str) -> Sequence[Row]:
        """List the rows of a service's sidecar; none for who serves nobody."""
        return self._rows.get(service, ())

    def calls(self, caller: str, service: str) -> Sequence[Row]:
        """List what a caller may call at a service, what anybody may left out."""
        return [row for row in self._rows[service] if caller in row.callers]


def read_callers(*, in_development: bool, table: Path = TABLE) -> Callers:
    """Read the table.

    Raises:
        InvalidCallers: it names what is not there, or says nothing of an RPC that is.
    """
    import yaml

    return Callers(yaml.safe_load(table.read_text()), in_development=in_development)


def _rows(service: str, told: Mapping[str, Any]) -> Iterator[Row]:
    for grpc_service, by_method in told.items():
        for method, callers in by_method.items():
            yield Row(service, grpc_service, method, tuple(callers))


def _check(parts: Mapping[str, Any], shared: Sequence[Row]) -> None:
    """Hold the table against the services and protos that there are."""
    known = {service.name for service in SERVICES}
    if strangers := set(parts) - known:
        raise InvalidCallers(f"callers.yaml: there is no service {', '.join(sorted(strangers))}")
    rows = [row for service, told in parts.items() for row in _rows(service, told)]
    there = {service: set(found) for service, found in methods().items()}
    there |= {service: set(found) for service, found in _FOREIGN.items()}
    for row in [*rows, *shared]:
        if strangers := set(row.callers) - {*WORKLOADS, ALL}:
            raise InvalidCallers(f"callers.yaml: {row.path}: nobody is called {strangers}")
        if row.grpc_service not in there or row.method not in {ALL, *there[row.grpc_service]}:
            raise InvalidCallers(f"callers.yaml: there is no {row.path}")
    told = {(row.grpc_service, row.method) for row in rows}
    missing = [
        method.path
        for service, found in methods().items()
        for method in found.values()
        if not told & {(service, ALL), (service, method.name)}
    ]
    if missing:
        raise InvalidCallers(f"callers.yaml says nothing of {', '.join(missing)}")
