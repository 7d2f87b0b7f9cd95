"""Every deadline between an edge's client and a PSP, read off configuration and settings."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from chassis.settings import Environment, ServerSettings
from devstack.audit import by_rpc
from edge_auth.settings import EdgeAuthSettings
from ledger_svc.settings import LedgerSettings
from payment_svc import audit_books, audit_witnesses, neighbours, servicer, witnesses
from payment_svc.settings import PaymentSettings
from psp_gateway import clients
from psp_gateway.settings import PspSettings
from risk_svc.settings import RiskSettings
from tests.contract.mesh_rules import Json, listeners, manager, routes, seconds
from wallet_svc import ledger_books
from wallet_svc import servicer as wallet_servicer
from wallet_svc.settings import WalletSettings

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "deadlines.md"
NOBODY = "–"
GOES_ON, TRAVELS, BEFORE = "goes on", "travels", "before"


@dataclass(frozen=True, slots=True)
class Deadline:
    """A row of the page.

    Attributes:
        seconds: how long.
        waits_for_it: the deadline of whoever waits, by name.
        how: `before`: it ends before that; `travels`: that comes along and cuts it short, this is a
            mere cap; `goes on`: an answer is given before, and the work goes on.
    """

    seconds: float
    waits_for_it: str
    how: str


def page(text: str) -> Mapping[str, Deadline]:
    """Read the page."""
    found = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and cells[1].replace(".", "").replace(",", "").isdigit():
            found[cells[0]] = Deadline(float(cells[1].replace(",", "")), cells[2], cells[3])
    return found


def violations(deadlines: Mapping[str, Deadline]) -> list[str]:
    """Tell which deadline is not inside that of whoever waits for it."""
    wrong = []
    for name, deadline in deadlines.items():
        if deadline.waits_for_it == NOBODY:
            continue
        if deadline.waits_for_it not in deadlines:
            wrong.append(f"{name}: nobody is called {deadline.waits_for_it}")
        elif deadline.how not in (BEFORE, TRAVELS, GOES_ON):
            wrong.append(f"{name}: how is {deadline.how}")
        elif deadline.how == BEFORE:
            outer = deadlines[deadline.waits_for_it].seconds
            if deadline.seconds > outer:
                wrong.append(f"{name}: {deadline.seconds:g} s is not inside {outer:g} s")
        elif deadline.how == GOES_ON and not _answers_before(deadline, deadlines):
            wrong.append(f"{name}: nobody is answered before")
    return wrong


def _answers_before(deadline: Deadline, deadlines: Mapping[str, Deadline]) -> bool:
    """What goes on waits behind an answer that itself is before its caller's deadline."""
    answer = deadlines[deadline.waits_for_it]
    return answer.how == BEFORE and answer.seconds < deadline.seconds


def measured(edge: Json, sidecar: Json) -> Mapping[str, float]:
    """Read them off an edge, a sidecar, and the settings that no environment has changed."""
    told = Environment(_NEEDED)
    server = ServerSettings.read(told, "any")
    payment = PaymentSettings.read(told, server)
    psp = PspSettings.read(told, server)
    auth = EdgeAuthSettings.read(told, server)
    wallet, ledger = WalletSettings.read(told), LedgerSettings.read(told)
    return {
        **_of_edge(edge),
        **_of_sidecar(sidecar),
        "edge_auth, Redis": auth.redis_timeout_s,
        "service, a request": server.request_timeout_s,
        "payment_svc, `Prefer: wait`": servicer._WAIT_MAX_S,
        "payment_svc, a stream": servicer._WATCH_MAX_S,
        "payment_svc, a call to another service": payment.rpc_timeout_s,
        "payment_svc, what one service knows of a payment": witnesses._TIMEOUT_S,
        "payment_svc, a page of an audit": audit_witnesses._TIMEOUT_S,
        "payment_svc, the ledger's sums": audit_books._SUM_S,
        "payment_svc, the ledger's proof": audit_books._PROOF_S,
        "payment_svc, resolving an attempt": neighbours._RESOLVE_TIMEOUT_S,
        "payment_svc, lease of a webhook": payment.webhooks.lease.total_seconds(),
        "payment_svc, a webhook": payment.webhooks.timeout_s,
        "payment_svc, Redis": payment.redis_timeout_s,
        "risk_svc, Redis": RiskSettings.read(told, server).redis_timeout_s,
        "ledger_svc, a transaction": ledger.database_timeout_s,
        "ledger_svc, a report": ledger.report_timeout_s,
        "wallet_svc, a transaction": wallet.database_timeout_s,
        "wallet_svc, a report": wallet.report_timeout_s,
        "wallet_svc, an export of the ledger": ledger_books._EXPORT_S,
        "wallet_svc, a stream": wallet_servicer._WATCH_MAX_S,
        "psp_gateway, an answer": psp.answer_s,
        "psp_gateway, a transaction": psp.database_timeout_s,
        "psp_gateway, a turn at a PSP": psp.wait_s,
        "psp_gateway, a request to Stripe": psp.stripe_timeout_s,
        "psp_gateway, a connection to Stripe": psp.stripe_connect_timeout_s,
        "psp_gateway, a request to Adyen": psp.adyen_timeout_s,
        "psp_gateway, a request to PayPal": psp.paypal_timeout_s,
        "psp_gateway, lease of an event": psp.inbox_lease_s,
        "psp_gateway, news for payment_svc": clients._TIMEOUT_S,
        "`paymesh audit`, a call": by_rpc._TIMEOUT_S,
    }


_URL = "postgresql://nobody@localhost/nothing"
_NEEDED = {
    **{f"{c}_DATABASE_URL": _URL for c in ("PAYMENT", "LEDGER", "WALLET", "RISK", "PSP")},
    "EDGE_AUTH_DATABASE_URL": _URL,
    "REDIS_URL": "redis://localhost",
    "ENVIRONMENT": "development",
    "LISTEN": "unix:/nowhere",
    "STRIPE_API_KEY": "none",  # pragma: allowlist secret
    **{f"{peer}_TARGET": "unix:/nowhere" for peer in ("RISK", "PSP", "WALLET", "LEDGER")},
}


def _of_edge(read: Json) -> Mapping[str, float]:
    by_match = {name: route["route"] for name, route in routes(read)}

    def one(part: str) -> Json:
        (found,) = (r for n, r in by_match.items() if n.startswith("edge ") and part in n)
        return dict(found)

    (outside,) = (one for one in listeners(read) if one["name"] == "edge")
    (asking,) = (f for f in manager(outside)["http_filters"] if f["name"].endswith("ext_authz"))
    longest = "max_stream_duration"
    native = one('"/paymesh.payment.v1.PaymentService/"')
    return {
        "edge, REST": seconds(one('"prefix": "/v1/"')["timeout"]),
        "edge, native gRPC": seconds(native[longest]["grpc_timeout_header_max"]),
        "edge, a PSP's webhook": seconds(one("/v1/webhooks/")["timeout"]),
        "edge, a stream": seconds(one("/events")[longest][longest]),
        "edge_auth, a check": seconds(asking["typed_config"]["grpc_service"]["timeout"]),
    }


def caps(read: Json) -> set[float]:
    """List the caps of a sidecar's routes."""
    return {
        seconds(route["route"]["max_stream_duration"]["grpc_timeout_header_max"])
        for name, route in routes(read)
        if not name.startswith("probes ")
    }


def _of_sidecar(read: Json) -> Mapping[str, float]:
    """Read what all routes of a sidecar agree on: one deadline for requests, one for streams."""
    request, stream = sorted(caps(read))
    return {"sidecar, a request": request, "sidecar, a stream": stream}
