"""Disputes at Adyen: docs.adyen.com/risk-management/disputes-api, DisputeService v30.

A dispute cannot be read: its notifications are taken at their word. Evidence is documents alone,
supplied first and handed in with one of the defences that Adyen offers.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

from psp_gateway.dispute_ports import Heard
from psp_gateway.domain.answer import Verdict, unusable
from psp_gateway.domain.attempt import Outcome
from psp_gateway.domain.dispute import Dispute, Source, Standing
from psp_gateway.domain.dispute_answer import Evidence, File
from psp_gateway.domain.psp_event import PspEvent
from psp_gateway.domain.reasons import Reason
from psp_gateway.http_client import NotSent
from psp_gateway.providers.adyen.client import AdyenClient, Response, Result
from psp_gateway.providers.adyen.dispute_events import MEANINGS, SILENT, Word, sum_up
from psp_gateway.providers.adyen.mapping import read_failure, text
from psp_gateway.providers.adyen.units import Inexpressible, to_money

PATH = "ca/services/DisputeService/v30"

# docs.adyen.com/risk-management/disputes-api#supply-dispute-defense-documents
_CONTENT_TYPES = {
    "application/pdf": 2 * 1024 * 1024,
    "image/jpeg": 10 * 1024 * 1024,
    "image/tiff": 10 * 1024 * 1024,
}
_GENERIC = "DefenseMaterial"


class AdyenDisputes:
    """`dispute_ports.TellDisputes` and `AnswerDisputes` at Adyen.

    Args:
        client: of the DisputeService.
        merchant_account: whose disputes they are.
    """

    def __init__(self, client: AdyenClient, *, merchant_account: str) -> None:
        self._client = client
        self._account = merchant_account

    def told(self, event: PspEvent, dispute: Dispute | None) -> Standing | str | None:
        """See `dispute_ports.TellDisputes.told`."""
        if event.event_type in SILENT or event.event_type not in MEANINGS:
            return None
        try:
            amount = to_money(event.amount_minor or 0, event.currency)
        except Inexpressible:
            return "The amount cannot be read."
        word = Word(
            event.event_type,
            amount=amount,
            reason_code=event.told_code,
            due_at=event.told_due_at,
        )
        standing = sum_up(event.reference, [*_words(dispute), word])
        return replace(standing, told_amount=amount) if standing else None

    def answered(self, dispute: Dispute, code: str) -> Standing:
        """See `dispute_ports.TellDisputes.answered`."""
        standing = sum_up(dispute.psp_reference, [*_words(dispute), Word(code, dispute.stage)])
        if standing is None:
            raise AssertionError(f"{dispute.dispute_id} was stored without a word")
        return standing

    def refusal(self, dispute: Dispute, evidence: Evidence) -> tuple[str, str] | None:
        """See `dispute_ports.AnswerDisputes.refusal`."""
        if evidence.texts:
            return "texts", "Adyen takes documents alone"
        for file in evidence.files:
            if len(file.content) > _CONTENT_TYPES.get(file.content_type, 0):
                return "files", "Adyen takes PDF up to 2 MiB, JPEG and TIFF"
        return None

    async def submit_evidence(
        self, dispute: Dispute, evidence: Evidence, *, key: str, is_again: bool
    ) -> Heard:
        """See `dispute_ports.AnswerDisputes.submit_evidence`.

        What comes before the defence itself has no effect at the scheme, and may be sent anew. Of
        a dispute that has been defended Adyen refuses it; then only the key can tell of the first.
        """
        chosen = await self._prepared(dispute, evidence)
        if isinstance(chosen, Verdict):
            if not is_again or not evidence.defence or chosen.outcome is not Outcome.DECLINED:
                return chosen
            chosen = evidence.defence
        return _answer(await self._post("defendDispute", dispute, key, defenseReasonCode=chosen))

    async def _prepared(self, dispute: Dispute, evidence: Evidence) -> str | Verdict:
        """Choose the defence and supply its documents."""
        asked = await self._post("retrieveApplicableDefenseReasons", dispute, str(uuid4()))
        offered = _offers(asked)
        if offered is None:
            return _before(_failure(asked), asked)
        defence = evidence.defence or (next(iter(offered)) if len(offered) == 1 else "")
        if defence not in offered:
            return _refused("defenseReasonCode: " + ",".join(offered))
        documents = [_document(file, offered[defence]) for file in evidence.files]
        if None in documents:
            return _refused("defenseDocumentTypeCode: " + ",".join(offered[defence]))
        supplied = await self._post(
            "supplyDefenseDocument", dispute, str(uuid4()), defenseDocuments=documents
        )
        return defence if _is_success(supplied) else _before(_failure(supplied), supplied)

    async def accept_dispute(self, dispute: Dispute, *, key: str) -> Heard:
        """See `dispute_ports.AnswerDisputes.accept_dispute`."""
        return _answer(await self._post("acceptDispute", dispute, key))

    async def _post(self, call: str, dispute: Dispute, key: str, **more: object) -> Result:
        content = {
            "disputePspReference": dispute.psp_reference,
            "merchantAccountCode": self._account,
            **more,
        }
        return await self._client.post(f"/{call}", content, key=key)


def _words(dispute: Dispute | None) -> Sequence[Word]:
    return [
        Word(fact.code, amount=fact.amount, reason_code=fact.psp_code, due_at=fact.due_at)
        if fact.source is Source.TOLD
        else Word(fact.code, fact.stage)
        for fact in (dispute.history if dispute else ())
    ]


def _offers(result: Result) -> Mapping[str, Sequence[str]] | None:
    """Read the types of document that each defence takes, those that it requires first."""
    body = result.body if isinstance(result, Response) and _is_success(result) else None
    if body is None or not isinstance(body.get("defenseReasons"), list):
        return None
    offered: dict[str, Sequence[str]] = {}
    for found in body["defenseReasons"]:
        kinds = found.get("defenseDocumentTypes") if isinstance(found, dict) else None
        levels = [
            (text(kind, "requirementLevel") != "Required", text(kind, "defenseDocumentTypeCode"))
            for kind in (kinds if isinstance(kinds, list) else [])
        ]
        code = text(found, "defenseReasonCode")
        if code:
            offered[code] = [name for _, name in sorted(levels, key=lambda level: level[0]) if name]
    return offered


def _document(file: File, kinds: Sequence[str]) -> dict[str, Any] | None:
    """Write a document as the type named, else the generic or the only one; None when unclear."""
    kind = file.psp_type or (_GENERIC if _GENERIC in kinds else kinds[0] if len(kinds) == 1 else "")
    if kind not in kinds:
        return None
    return {
        "content": base64.b64encode(file.content).decode(),
        "contentType": file.content_type,
        "defenseDocumentTypeCode": kind,
    }


def _answer(result: Result) -> Heard:
    if isinstance(result, Response) and _is_success(result):
        return Verdict(Outcome.SUCCEEDED, trace=result.trace)
    return _failure(result)


def _failure(result: Result) -> Verdict:
    """Tell what an answer that is no success says; Adyen's own sentence on it stays out."""
    if not isinstance(result, Response) or result.status != 200:
        return read_failure(result)
    outcome = result.body.get("disputeServiceResult") if result.body else None
    if isinstance(outcome, dict) and outcome.get("success") is False:
        return Verdict(
            Outcome.DECLINED,
            reason=Reason.PSP_REQUEST_INVALID,
            about_request=True,
            trace=result.trace,
        )
    return unusable(result.trace)


def _before(failure: Verdict, result: Result) -> Verdict:
    """Say that the defence was not sent, whatever became of what goes before it."""
    if failure.outcome is Outcome.DECLINED or isinstance(result, NotSent):
        return failure
    return Verdict(
        Outcome.TRANSIENT,
        reason=failure.reason,
        psp_code=failure.psp_code,
        about_request=True,
        trace=failure.trace,
    )


def _refused(codes: str) -> Verdict:
    """Say that Adyen would take none of it, and name what it takes."""
    reason = Reason.PSP_REQUEST_INVALID
    return Verdict(Outcome.DECLINED, reason=reason, psp_code=codes[:255], about_request=True)


def _is_success(result: Result) -> bool:
    if not isinstance(result, Response) or result.status != 200 or result.body is None:
        return False
    outcome = result.body.get("disputeServiceResult")
    return isinstance(outcome, dict) and outcome.get("success") is True
