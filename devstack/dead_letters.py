"""What `paymesh dlq` asks of payment_svc, as plain data in the protos' own names."""

import math
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import grpc
from google.protobuf.message import Message
from paymesh.payment.v1 import dead_letter_pb2 as noun
from paymesh.payment.v1 import operations_service_pb2 as operations

from devstack.trail import plain

Json = dict[str, Any]
_TIMEOUT_S = 30.0
_PAGE = 500
_AT_ONCE = 500
_SPREAD_MAX_S = 86_400  # the service plans no saga for later


class DeadLetters:
    """The operators' calls, made by `actor`; empty: nobody in particular. In a mesh his certificate
    counts, and not what is said here.
    """

    def __init__(self, stub: Any, actor: str) -> None:
        self._stub = stub
        self._metadata = (("x-paymesh-actor", actor),) if actor else ()

    async def queues(self) -> Sequence[Json]:
        """Tell how deep the queues are."""
        return list(
            (await self._ask("DescribeQueues", operations.DescribeQueuesRequest()))["queues"]
        )

    async def list(self, queue: str, limit: int, **chosen: Any) -> Sequence[Json]:
        """List a queue, at most `limit` of it."""
        found: list[Json] = []
        token = ""
        while len(found) < limit:
            request = operations.ListSagasRequest(
                queue=operations.Saga.Queue.Value(queue),
                page_size=min(limit - len(found), _PAGE),
                page_token=token,
                filter=_filter(**chosen),
            )
            page = await self._ask("ListSagas", request)
            found += page["sagas"]
            token = page["next_page_token"]
            if not token:
                break
        return found

    async def show(self, saga_id: str) -> Json:
        """Tell a saga, its plan and its resolutions; of one that nobody may let go on, why."""
        try:
            told = await self.plan(saga_id)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.FAILED_PRECONDITION:
                raise
            told = {"is_over": error.details()}
        return {**told, "resolutions": await self.resolutions("", saga_id)}

    async def plan(self, saga_id: str) -> Json:
        """Tell what a saga would do if it were let go on."""
        request = operations.RetrySagaRequest(saga_id=saga_id, dry_run=True)
        return await self._ask("RetrySaga", request)

    async def retry(self, seen: Mapping[str, Any], why: str) -> Json:
        """Let a saga go on as it was seen."""
        saga = seen["saga"]
        request = operations.RetrySagaRequest(
            saga_id=saga["saga_id"], expected_epoch=int(saga["epoch"]), reason=why
        )
        return await self._ask("RetrySaga", request)

    async def choose(self, count_max: int, per_second: float, **chosen: Any) -> Json:
        """Tell how many dead letters fit, and the first of them.

        Raises:
            ValueError: at this pace the last of them would go on later than it may.
        """
        request = operations.RetrySagasRequest(
            filter=_filter(**chosen),
            max_count=min(count_max, 1000),
            per_second=per_second,
            dry_run=True,
        )
        seen = await self._ask("RetrySagas", request)
        count = min(seen["total_count"], count_max)
        if count > _SPREAD_MAX_S * per_second:
            hours, fast = count / per_second / 3600, math.ceil(count / _SPREAD_MAX_S)
            raise ValueError(
                f"{count:,} dead letters take {hours:.0f} h at {per_second:g} a second, and 24 h"
                f" are the most: say --per-second {fast}, or"
                f" --max {int(_SPREAD_MAX_S * per_second)}. Nothing was changed."
            )
        return {**seen, "going_on": count}

    async def retry_many(
        self, seen: Mapping[str, Any], count_max: int, per_second: float, why: str, **chosen: Any
    ) -> Json:
        """Let those go on that fitted when they were seen, a portion after the other."""
        from rich.console import Console
        from rich.progress import Progress

        request = operations.RetrySagasRequest(
            filter=_filter(**chosen), per_second=per_second, reason=why
        )
        request.dead_before.FromJsonString(seen["as_of"])
        count = 0
        more = seen["count"] > 0
        with Progress(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("let go on", total=seen["going_on"])
            while more and count < count_max:
                request.max_count = min(count_max - count, _AT_ONCE)
                done = await self._ask("RetrySagas", request)
                count += done["count"]
                more = done["has_more"]
                request.offset.FromJsonString(done["next_offset"])
                bar.update(task, completed=count)
        return {"count": count, "has_more": more, "per_second": per_second}

    async def resolve(self, saga_id: str, decision: str, why: str, **said: str) -> Json:
        """Propose what became of a saga's step."""
        request = operations.ResolveSagaRequest(
            saga_id=saga_id,
            decision=noun.Resolution.Decision.Value(decision),
            psp_reference=said.get("psp_reference", ""),
            amount=said.get("amount", ""),
            currency=said.get("currency", ""),
            evidence=said["evidence"],
            evidence_link=said.get("link", ""),
            reason=why,
        )
        return dict((await self._ask("ResolveSaga", request))["resolution"])

    async def find(self, resolution_id: str) -> Json:
        """Find a resolution.

        Raises:
            ValueError: there is none such.
        """
        request = operations.ListResolutionsRequest(resolution_id=resolution_id)
        for found in (await self._ask("ListResolutions", request))["resolutions"]:
            return dict(found)
        raise ValueError(f"There is no resolution {resolution_id}.")

    async def resolutions(self, status: str, saga_id: str) -> Sequence[Json]:
        """List the newest resolutions.

        Raises:
            ValueError: there is no such status.
        """
        request = operations.ListResolutionsRequest(saga_id=saga_id, page_size=_PAGE)
        if status:
            request.status = noun.Resolution.Status.Value(status)
        return list((await self._ask("ListResolutions", request))["resolutions"])

    async def approve(self, resolution_id: str, why: str) -> Json:
        """Approve a resolution."""
        request = operations.ApproveResolutionRequest(resolution_id=resolution_id, reason=why)
        return dict((await self._ask("ApproveResolution", request))["resolution"])

    async def reject(self, resolution_id: str, why: str) -> Json:
        """Reject a resolution."""
        request = operations.RejectResolutionRequest(resolution_id=resolution_id, reason=why)
        return dict((await self._ask("RejectResolution", request))["resolution"])

    async def key(self, client_id: str, method: str, idempotency_key: str) -> Json:
        """Tell what is kept under an Idempotency-Key."""
        request = operations.DescribeIdempotencyKeyRequest(
            client_id=client_id, method=method, idempotency_key=idempotency_key
        )
        return await self._ask("DescribeIdempotencyKey", request)

    async def _ask(self, rpc: str, request: Message) -> Json:
        call = getattr(self._stub, rpc)
        return plain(await call(request, timeout=_TIMEOUT_S, metadata=self._metadata))


def _filter(*, kind: str, reason: str, older_than: timedelta, payment: str) -> noun.SagaFilter:
    chosen = noun.SagaFilter(kind=kind, reason=reason, payment_id=payment)
    chosen.older_than.FromTimedelta(older_than)
    return chosen
