"""An OpenTelemetry collector that keeps the spans it is told of."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a trace; ids in hex."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str


class Collector(TraceServiceServicer):
    """Takes spans; `raw` is all that was sent."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.raw: list[bytes] = []

    async def Export(self, request: Any, _: Any) -> Any:
        """Keep what is sent."""
        self.raw.append(request.SerializeToString())
        self.spans += _spans(request)
        return trace_service_pb2.ExportTraceServiceResponse()

    def of(self, trace_id: str) -> list[Span]:
        """List the spans of a trace."""
        return [span for span in self.spans if span.trace_id == trace_id]


def _spans(request: Any) -> Iterator[Span]:
    for told in request.resource_spans:
        service = _texts(told.resource.attributes)["service.name"]
        for scope in told.scope_spans:
            for span in scope.spans:
                ids = (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex())
                yield Span(service, span.name, *ids)


def _texts(attributes: Any) -> dict[str, str]:
    return {each.key: each.value.string_value for each in attributes}


@asynccontextmanager
async def collecting() -> AsyncIterator[tuple[Collector, str]]:
    """Serve a collector; with it comes its endpoint."""
    server, collector = grpc.aio.server(), Collector()
    add_TraceServiceServicer_to_server(collector, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield collector, f"http://127.0.0.1:{port}"
    finally:
        await server.stop(None)
