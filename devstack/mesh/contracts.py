"""The RPCs of all protos, with what the mesh must know of each."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path

# What several services serve, each for itself; a header tells which is meant.
SHARED = frozenset({"paymesh.audit.v1.AuditLogService"})

_DESCRIPTOR = Path(__file__).resolve().parents[2] / "stubs" / "paymesh.binpb"


class Repetition(Enum):
    """How far an RPC may be sent again, as its `idempotency_level` says."""

    UNKNOWN = 0
    NO_SIDE_EFFECTS = 1
    IDEMPOTENT = 2


@dataclass(frozen=True, slots=True)
class Method:
    """An RPC. `answers_stream`: with many messages, for as long as it takes."""

    service: str
    name: str
    repetition: Repetition
    answers_stream: bool

    @property
    def path(self) -> str:
        """Its HTTP path."""
        return f"/{self.service}/{self.name}"


@cache
def methods() -> Mapping[str, Mapping[str, Method]]:
    """List the RPCs by service and name."""
    from google.protobuf import descriptor_pb2

    files = descriptor_pb2.FileDescriptorSet.FromString(_DESCRIPTOR.read_bytes()).file
    return {
        f"{file.package}.{service.name}": {
            method.name: Method(
                f"{file.package}.{service.name}",
                method.name,
                Repetition(method.options.idempotency_level),
                method.server_streaming,
            )
            for method in service.method
        }
        for file in files
        for service in file.service
    }
