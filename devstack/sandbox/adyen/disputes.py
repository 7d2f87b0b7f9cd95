"""Disputes: Webhooks-v1 and DisputeService-v30 of github.com/Adyen/adyen-openapi. Pure.

A payment is disputed at once when its stored payment method is `adyen_chargeback`, or asks for
information when it is `adyen_rfi`; otherwise by `/control/disputes`, whose `step` is the eventCode
that Adyen tells next.
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from devstack.sandbox.adyen import given as read
from devstack.sandbox.adyen.notifications import of_dispute
from devstack.sandbox.adyen.things import Dispute, NewId, Payment
from devstack.sandbox.jsonwire.messages import Answer, Change, Json, Refused

OPENING: Mapping[str, str] = MappingProxyType(
    {"adyen_chargeback": "CHARGEBACK", "adyen_rfi": "REQUEST_FOR_INFORMATION"}
)
FRAUD = "10.4"
DUE_S = 18 * 86_400.0

_WITHDRAW = frozenset({"CHARGEBACK", "SECOND_CHARGEBACK"})
_GIVE_BACK = frozenset({"CHARGEBACK_REVERSED"})
_STEPS = frozenset(
    {
        *("REQUEST_FOR_INFORMATION", "NOTIFICATION_OF_CHARGEBACK", "CHARGEBACK"),
        *("INFORMATION_SUPPLIED", "DISPUTE_DEFENSE_PERIOD_ENDED", "CHARGEBACK_REVERSED"),
        *("ISSUER_RESPONSE_TIMEFRAME_EXPIRED", "SECOND_CHARGEBACK", "ISSUER_COMMENTS"),
        *("PREARBITRATION_OPEN", "PREARBITRATION_ACCEPTED", "PREARBITRATION_DECLINED"),
        *("PREARBITRATION_ISSUER_WITHDRAWN", "PREARBITRATION_WON", "PREARBITRATION_LOST"),
        *("SCHEME_ARBITRATION", "SCHEME_ARBITRATION_WON", "SCHEME_ARBITRATION_LOST"),
    }
)
_OPEN = frozenset(
    {
        *("REQUEST_FOR_INFORMATION", "NOTIFICATION_OF_CHARGEBACK", "CHARGEBACK"),
        "PREARBITRATION_OPEN",
    }
)
# As the example of the description has them.
_DEFENCES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "GoodsNotReturned": {"TIDorInvoice": "Optional", "GoodsNotReturned": "Required"},
        "SupplyDefenseMaterial": {"TIDorInvoice": "Optional", "DefenseMaterial": "Required"},
    }
)
_TYPES = frozenset({"application/pdf", "image/jpeg", "image/tiff"})


def opened(payment: Payment, code: str, reason: str, new_id: NewId, now: float) -> Change:
    """Let a buyer dispute a payment; it is told first that it is coming."""
    dispute = Dispute(
        id=new_id(),
        payment=payment.id,
        payment_name=payment.name,
        account=payment.account,
        amount=payment.captured or payment.authorised,
        currency=payment.currency,
        reason=reason or FRAUD,
        state=code,
        due=now + DUE_S,
        metadata=payment.metadata,
    )
    first = ("NOTIFICATION_OF_CHARGEBACK",) if code == "CHARGEBACK" else ()
    return _told(dispute, (*first, code), now)


def step(dispute: Dispute, code: str, now: float) -> Change:
    """Let Adyen tell what comes next.

    Raises:
        ValueError: it is none of Adyen's codes.
    """
    if code not in _STEPS:
        raise ValueError("step: is none of Adyen's codes of disputes")
    return _told(replace(dispute, state=code), (code,), now)


def operate(call: str, given: Json, dispute: Dispute | None, now: float) -> Change | Answer:
    """Carry out a call of the DisputeService.

    Raises:
        Refused: it does not validate.
    """
    if not isinstance(given.get("merchantAccountCode"), str):
        raise read.invalid("901", "Invalid Merchant Account")
    if dispute is None or dispute.account != given["merchantAccountCode"]:
        raise Refused(_result("Dispute not found"))
    if dispute.state not in _OPEN:
        raise Refused(_result("The dispute cannot be defended or accepted any more"))
    if now > dispute.due:
        raise Refused(_result("The defense period has ended"))
    match call:
        case "defence_reasons":
            return Answer(200, {"defenseReasons": _offers(dispute), **_SUCCESS})
        case "supply_document":
            return _supplied(dispute, given)
        case "submit_evidence":
            return _defended(dispute, given, now)
    ended = replace(dispute, state="DISPUTE_DEFENSE_PERIOD_ENDED")
    change = _told(ended, ("DISPUTE_DEFENSE_PERIOD_ENDED",), now)
    return replace(change, answer=Answer(200, _SUCCESS))


_SUCCESS: Json = {"disputeServiceResult": {"success": True}}


def _supplied(dispute: Dispute, given: Json) -> Change:
    documents = given.get("defenseDocuments")
    kinds = []
    for document in documents if isinstance(documents, list) else []:
        found = document if isinstance(document, dict) else {}
        if found.get("contentType") not in _TYPES or not found.get("content"):
            raise Refused(_result("Unsupported document"))
        kinds.append(str(found.get("defenseDocumentTypeCode")))
    if not kinds:
        raise Refused(_result("No documents"))
    supplied = replace(dispute, documents=tuple(sorted({*dispute.documents, *kinds})))
    return _change("dispute_evidence", supplied, (), answer=Answer(200, _SUCCESS))


def _defended(dispute: Dispute, given: Json, now: float) -> Change:
    needed = _DEFENCES.get(str(given.get("defenseReasonCode")))
    if needed is None:
        raise Refused(_result("Invalid defense reason"))
    required = {kind for kind, level in needed.items() if level == "Required"}
    if not required <= set(dispute.documents):
        raise Refused(_result("Required documents are missing"))
    defended = replace(dispute, state="INFORMATION_SUPPLIED")
    change = _told(defended, ("INFORMATION_SUPPLIED",), now)
    return replace(change, answer=Answer(200, _SUCCESS))


def _offers(dispute: Dispute) -> list[Json]:
    return [
        {
            "defenseReasonCode": code,
            "satisfied": set(kinds) <= set(dispute.documents),
            "defenseDocumentTypes": [
                {
                    "available": kind in dispute.documents,
                    "defenseDocumentTypeCode": kind,
                    "requirementLevel": level,
                }
                for kind, level in kinds.items()
            ],
        }
        for code, kinds in _DEFENCES.items()
    ]


def _result(message: str) -> Answer:
    return Answer(200, {"disputeServiceResult": {"success": False, "errorMessage": message}})


def _told(dispute: Dispute, codes: tuple[str, ...], now: float) -> Change:
    kind, amount = "dispute_told", 0
    if codes[-1] in _WITHDRAW:
        kind, amount = "dispute_withdrawn", dispute.amount
    elif codes[-1] in _GIVE_BACK:
        kind, amount = "dispute_reinstated", dispute.amount
    return _change(kind, dispute, codes, amount=amount, now=now)


def _change(
    kind: str,
    dispute: Dispute,
    codes: tuple[str, ...],
    *,
    amount: int = 0,
    now: float = 0.0,
    answer: Answer | None = None,
) -> Change:
    return Change(
        kind=kind,
        reference=dispute.id,
        payment_reference=dispute.payment,
        amount=amount,
        currency=dispute.currency,
        metadata=dispute.metadata,
        answer=answer,
        things=(dispute,),
        events=tuple((code, of_dispute(code, dispute, now)) for code in codes),
    )
