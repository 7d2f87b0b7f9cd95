"""The public API as a partner's back end calls it: REST through the edge, with the demo client's
key.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import aiohttp

FINAL = frozenset({"COMPLETED", "PARTIALLY_COMPLETED", "FAILED", "CANCELLED"})
_POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class Answer:
    """What the edge answered."""

    status: int
    body: Any
    headers: Mapping[str, str]


def specification_request(order_id: str = "order_789") -> dict[str, Any]:
    """Write the specification's request, to the letter but for the order id."""
    return {
        "buyer_info": {"id": "buyer_123", "email": "buyer@example.com"},
        "checkout_id": "checkout_abc",
        "credit_card_info": {"token": "psp_card_token_xyz"},
        "payment_orders": [
            {
                "seller_account": "seller_456",
                "amount": "99.99",
                "currency": "USD",
                "payment_order_id": order_id,
            }
        ],
    }


class RestClient:
    """Calls the edge. Use it as an async context manager."""

    def __init__(self, edge_url: str, api_key: str) -> None:
        self._session = aiohttp.ClientSession(
            edge_url,
            headers={"Authorization": f"Bearer {api_key}"},
            timeout=aiohttp.ClientTimeout(total=40),
            connector=aiohttp.TCPConnector(limit=0),
        )

    async def __aenter__(self) -> "RestClient":
        await self._session.__aenter__()
        return self

    async def __aexit__(self, *details: Any) -> None:
        await self._session.__aexit__(*details)

    async def create(
        self, request: Mapping[str, Any], key: str | None = None, wait_s: int | None = None
    ) -> Answer:
        """POST a payment under a key; a new key when none is given."""
        return await self._post("/v1/payments", request, key, wait_s)

    async def act(
        self,
        payment_id: str,
        verb: str,
        request: Mapping[str, Any],
        key: str | None = None,
        wait_s: int | None = None,
    ) -> Answer:
        """POST a `verb` to a payment: capture or cancel."""
        return await self._post(f"/v1/payments/{payment_id}/{verb}", request, key, wait_s)

    async def _post(
        self, path: str, request: Mapping[str, Any], key: str | None, wait_s: int | None
    ) -> Answer:
        headers = {"Idempotency-Key": key or str(uuid4())}
        if wait_s is not None:
            headers["Prefer"] = f"wait={wait_s}"
        async with self._session.post(path, json=request, headers=headers) as response:
            return Answer(response.status, await response.json(), response.headers)

    async def get(self, payment_id: str) -> Answer:
        """GET a payment."""
        async with self._session.get(f"/v1/payments/{payment_id}") as response:
            return Answer(response.status, await response.json(), response.headers)

    async def ask(
        self, verb: str, path: str, request: Mapping[str, Any] | None = None, key: str = ""
    ) -> Answer:
        """Call any path with a verb; under a new key where none is given."""
        headers = {"Idempotency-Key": key or str(uuid4())}
        async with self._session.request(verb, path, json=request, headers=headers) as response:
            return Answer(response.status, await response.json(), response.headers)

    async def until_final(self, payment_id: str, timeout_s: float = 60.0) -> dict[str, Any]:
        """Poll a payment until it is final.

        Raises:
            TimeoutError: it is not final in time; the message holds its last answer.
        """
        deadline = asyncio.get_running_loop().time() + timeout_s
        while True:
            answer = await self.get(payment_id)
            if answer.status == 200 and answer.body["status"] in FINAL:
                return dict(answer.body)
            if asyncio.get_running_loop().time() > deadline:
                raise TimeoutError(f"{payment_id} is not final: {answer.body}")
            await asyncio.sleep(_POLL_S)
