"""Takes in what a bank says of the account that pays out: payouts are paid, or are back."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from chassis.errors import InvalidRequest
from psp_gateway.domain.answer import Verdict
from psp_gateway.domain.attempt import Outcome
from psp_gateway.domain.inbox import State as EventState
from psp_gateway.domain.payout import Payout, State
from psp_gateway.ports import TellAudit, tell_nobody
from psp_gateway.providers.bank import camt
from psp_gateway.providers.bank.orders import OrderBook
from psp_gateway.providers.bank.provider import BankPayouts, Match, OtherAccount
from psp_gateway.providers.bank.schemas import UnreadableFile
from psp_gateway.providers.bank.statement import Statement
from psp_gateway.use_cases.execute_payouts import Paying
from psp_gateway.use_cases.follow_payouts import keep_payout

_TRIES_MAX = 5


@dataclass(frozen=True, slots=True)
class Statements:
    """What taking in statements takes."""

    bank: BankPayouts
    orders: OrderBook
    paying: Paying
    tell: TellAudit = tell_nobody


@dataclass(slots=True)
class Imported:
    """What a file came to.

    Attributes:
        attempt_ids: of the payouts that it says something of.
        notes: for a person: what cannot be.
    """

    attempt_ids: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


async def import_statement(statements: Statements, content: bytes) -> Imported:
    """Take in a camt file; taken in again it changes nothing. Files go in the order of their days.

    Raises:
        InvalidRequest: it is no file that is read here, or of another account.
        Unavailable: the store did not answer; importing it again is safe.
    """
    imported, matches = Imported(), list[Match]()
    read = _read(content)
    for statement in read:
        matches += await _matches(statements, statement)
    # Each payout is a transaction of its own: what is about to be done is told before the first.
    after = {"statements": len(read), "payouts": len(matches)}
    await statements.tell("bank_statement", sha256(content).hexdigest(), after)
    for match in matches:
        await _take_in(statements.paying, match, imported)
    return imported


def _read(content: bytes) -> Sequence[Statement]:
    try:
        return camt.read(content)
    except UnreadableFile as error:
        raise InvalidRequest.field("content", str(error)) from error


async def _matches(statements: Statements, statement: Statement) -> Sequence[Match]:
    ids = sorted({line.end_to_end_id for line in statement.lines if line.end_to_end_id})
    ordered = await statements.orders.ordered_as(ids)
    try:
        return statements.bank.outcomes(statement, ordered)
    except OtherAccount as error:
        raise InvalidRequest.field("content", str(error)) from error


async def _take_in(paying: Paying, match: Match, imported: Imported) -> None:
    imported.attempt_ids.append(match.attempt_id)
    text = ""
    for _ in range(_TRIES_MAX):
        (payout,) = await paying.book.find([match.attempt_id])
        trouble = _trouble(payout, match.verdict)
        if trouble:
            text = f"{payout.attempt_id}: {trouble}"
            break
        note = await keep_payout(paying, payout, match.verdict, "STATEMENT")
        text = note.text if note is not None else ""
        if note is None or note.state is not EventState.NEW:
            break  # else another wrote it meanwhile: nobody would bring the statement again
    if text:
        imported.notes.append(text)


def _trouble(payout: Payout, verdict: Verdict) -> str:
    if verdict.is_alarm:
        return f"the statement says what cannot be ({verdict.reason})"
    is_paid = verdict.outcome is Outcome.SUCCEEDED and payout.state is State.PAID
    known, told = payout.psp_reference, verdict.reference
    if is_paid and known and told and known != told:
        return f"paid as {known}, and again as {told}"
    return ""
