"""Routing and circuits through the RPCs, over the sandbox and a real PostgreSQL."""

from pathlib import Path

import grpc
import pytest
from paymesh.psp.v1 import attempt_pb2 as noun
from paymesh.psp.v1 import provider_pb2 as nouns
from paymesh.psp.v1 import psp_gateway_service_pb2 as service

from chassis.settings import SettingsError
from tests.servers import ServiceDatabase
from tests.unit.psp_gateway.gateway_commands import charge
from tests.unit.psp_gateway.sandbox import Gateway, Sandbox, served


async def test_a_simulation_tells_the_rule_and_stores_nothing(gateway: Gateway) -> None:
    """It answers what the charge then does."""
    asked = charge()
    simulated = await gateway.stub.SimulateRouting(service.SimulateRoutingRequest(charge=asked))
    wallet = charge()
    wallet.payment_method = nouns.WALLET
    refused = await gateway.stub.SimulateRouting(service.SimulateRoutingRequest(charge=wallet))

    assert (simulated.rule, list(simulated.psps)) == ("all else by Stripe", ["stripe"])
    assert (refused.rule, list(refused.psps)) == ("wallets by PayPal", [])
    assert dict(refused.hindered) == {"paypal": "it is not configured"}
    assert await gateway.attempts("pay_1") == []
    (answer,) = await gateway.charges(wallet)
    assert answer.refusal.reason == "NO_ROUTE"
    assert answer.refusal.metadata["paypal"] == "it is not configured"


async def test_what_was_taken_up_is_answered_whatever_the_rules_say_now(gateway: Gateway) -> None:
    """A refusal would say that the attempt was never made."""
    await gateway.charge()
    wallet = charge()
    wallet.payment_method = nouns.WALLET
    (answer,) = await gateway.charges(wallet)

    assert answer.attempt.outcome == noun.Attempt.SUCCEEDED


async def test_rules_can_be_replaced(
    psp_database: ServiceDatabase, sandbox: Sandbox, tmp_path: Path
) -> None:
    """PSP_ROUTING_FILE names others; a wrong file keeps the gateway from starting."""
    path = tmp_path / "routing.toml"
    path.write_text('[[rules]]\nname = "euros"\ncurrencies = ["EUR"]\npsps = { stripe = 1 }\n')
    async with served(psp_database, sandbox.url, PSP_ROUTING_FILE=str(path)) as gateway:
        euros, dollars = await gateway.charges(
            charge(attempt_id="att_e", currency="EUR"), charge(attempt_id="att_d")
        )
    path.write_text("rules = 1")

    assert euros.attempt.outcome == noun.Attempt.SUCCEEDED
    assert dollars.refusal.reason == "NO_ROUTE"
    with pytest.raises(SettingsError, match="PSP_ROUTING_FILE"):
        async with served(psp_database, sandbox.url, PSP_ROUTING_FILE=str(path)):
            pass


async def test_a_dark_psp_opens_its_circuit_and_a_person_closes_it(
    gateway: Gateway, sandbox: Sandbox
) -> None:
    """Charges are stored and wait meanwhile; nothing is sent to a PSP that does not answer."""
    await sandbox.dark(dark=True)
    await gateway.charges(*(charge(attempt_id=f"att_{n}") for n in range(40)))
    (provider,) = (await gateway.stub.ListProviders(service.ListProvidersRequest())).providers
    (circuit,) = (each for each in provider.circuits if each.operation == "create")
    assert (provider.psp, circuit.state) == ("stripe", nouns.Circuit.OPEN)
    assert circuit.rest.seconds >= 2
    simulated = await gateway.stub.SimulateRouting(
        service.SimulateRoutingRequest(charge=charge(attempt_id="att_new"))
    )
    assert dict(simulated.hindered) == {"stripe": "its circuit for create is open"}
    held_back = (await gateway.charge(attempt_id="att_new")).attempt
    assert (held_back.outcome, held_back.delivery, held_back.reason) == (
        noun.Attempt.TRANSIENT,
        noun.Attempt.NOT_SENT,
        "PSP_CIRCUIT_OPEN",
    )

    await sandbox.dark(dark=False)
    reset = await gateway.stub.ResetCircuit(service.ResetCircuitRequest(psp="stripe"))
    assert {each.state for each in reset.provider.circuits} == {nouns.Circuit.CLOSED}
    assert (await gateway.settled(attempt_id="att_new")).outcome == noun.Attempt.SUCCEEDED
    assert await sandbox.moved(attempt_id="att_new") == [("charge", 9999)]


async def test_only_a_psp_that_is_there_has_circuits(gateway: Gateway) -> None:
    """The error names those that are."""
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await gateway.stub.ResetCircuit(service.ResetCircuitRequest(psp="square"))

    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "stripe" in str(raised.value.details())
