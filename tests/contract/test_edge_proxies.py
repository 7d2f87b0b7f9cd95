"""Whose address a limit counts: the connection's, or behind proxies what they say."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from devstack.mesh.edge import CALLED, Edge
from devstack.mesh.sidecar import Peer
from devstack.state import StackError
from edge_auth.use_cases.check_request import Rates
from tests.own_edge import own_edge

PAYMENT = "/v1/payments/pay_1"
ONE_EACH = Rates(address_per_second=0.001, address_burst=1)
GUESSES = Rates(stranger_per_second=0.001, stranger_burst=1)
FORWARDED = "x-forwarded-for"
NOBODYS = {"Authorization": "Bearer pm_1"}
Told = Sequence[dict[str, str]]


async def answered(folder: Path, told: Told, *, proxies: int, rates: Rates = ONE_EACH) -> list[int]:
    """Ask once with each of these headers, at an edge of its own, and tell what was answered."""
    async with own_edge(folder, rates=rates, trusted_proxies=proxies) as door:
        return [(await door.rest(PAYMENT, headers=headers))[0] for headers in told]


async def test_nobody_is_believed_by_default(tmp_path: Path) -> None:
    """Whatever a client says of itself, it is limited by the address of its connection."""
    told = [
        {FORWARDED: "192.0.2.1"},
        {FORWARDED: "192.0.2.2"},
        {FORWARDED: "192.0.2.3, 192.0.2.4"},
        {"x-paymesh-client-address": "192.0.2.5"},
        {"x-envoy-external-address": "192.0.2.6"},
        {"x-real-ip": "192.0.2.7", "forwarded": "for=192.0.2.7"},
    ]

    assert await answered(tmp_path, told, proxies=0) == [200] + [429] * 5


async def test_guesses_are_counted_by_the_connection_by_default(tmp_path: Path) -> None:
    """A guesser does not get another try for another word about himself."""
    told = [{FORWARDED: f"192.0.2.{n}", **NOBODYS} for n in range(1, 4)]

    assert await answered(tmp_path, told, proxies=0, rates=GUESSES) == [401, 429, 429]


async def test_behind_one_proxy_each_client_has_a_limit_of_its_own(tmp_path: Path) -> None:
    """What the proxy has appended counts; what the client put before it does not."""
    told = [
        {FORWARDED: "192.0.2.1"},
        {FORWARDED: "192.0.2.2"},
        {FORWARDED: "192.0.2.1"},
        {FORWARDED: "192.0.2.9, 192.0.2.1"},
        {FORWARDED: "2001:db8::1"},
        {FORWARDED: "192.0.2.9, 192.0.2.3", "x-paymesh-client-address": "192.0.2.1"},
    ]

    assert await answered(tmp_path, told, proxies=1) == [200, 200, 429, 429, 200, 200]


async def test_the_address_goes_no_further(tmp_path: Path) -> None:
    """It is edge_auth's; a service hears of it neither from the edge nor from a client."""
    async with own_edge(tmp_path, trusted_proxies=1) as door:
        forged = {FORWARDED: "192.0.2.1", "x-paymesh-client-address": "192.0.2.2"}
        status, _, _ = await door.rest(PAYMENT, headers=forged)

    assert status == 200
    assert "x-paymesh-client-address" not in door.service.heard[0]


async def test_behind_two_proxies_the_last_but_one_counts(tmp_path: Path) -> None:
    """The last address is the first proxy's, which all clients share."""
    told = [
        {FORWARDED: "192.0.2.1, 198.51.100.1"},
        {FORWARDED: "192.0.2.2, 198.51.100.1"},
        {FORWARDED: "192.0.2.9, 192.0.2.1, 198.51.100.1"},
    ]

    assert await answered(tmp_path, told, proxies=2) == [200, 200, 429]


async def test_who_comes_past_the_proxy_is_the_connections(tmp_path: Path) -> None:
    """No header, or one that is no address: all of them share one limit."""
    told = [{}, {FORWARDED: "me"}, {FORWARDED: "192.0.2.1, me"}]

    assert await answered(tmp_path, told, proxies=1) == [200, 429, 429]


@pytest.mark.parametrize("proxies", [-1, 11])
def test_a_number_that_cannot_be_is_refused(proxies: int) -> None:
    """Before anything is written."""
    peers = {name: Peer("127.0.0.1:1", "") for name in CALLED}

    with pytest.raises(StackError, match="trusted proxies: 0 to 10"):
        Edge("127.0.0.1:1", "127.0.0.1:2", peers, None, None, "", "", "", trusted_proxies=proxies)
