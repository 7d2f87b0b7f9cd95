"""Decides a batch of commands on the books, one after the other, chains of linked ones whole."""

from collections.abc import Sequence

from ledger_svc.domain import posting_rules, resolution_rules, reversal_rules
from ledger_svc.domain.books import Books, Draft, Outcome
from ledger_svc.domain.errors import LinkedRefused, Refusal
from ledger_svc.domain.posting import Command, Posting, Resolution


def decide(books: Books, commands: Sequence[Command]) -> list[Outcome]:
    """Do each command or refuse it, and answer each in order; the books keep what was done."""
    outcomes: list[Outcome] = []
    chain: list[Command] = []
    for command in commands:
        if isinstance(command, Posting) and command.is_linked:
            chain.append(command)
        elif chain:
            outcomes.extend(_decide_chain(books, [*chain, command]))
            chain.clear()
        else:
            outcomes.append(_decide_alone(books, command))
    if chain:
        outcomes.extend(_decide_chain(books, chain))
    return outcomes


def _decide_alone(books: Books, command: Command) -> Outcome:
    draft = Draft(books)
    try:
        outcome = _do(draft, command)
    except Refusal as refusal:
        return refusal
    books.keep(draft)
    return outcome


def _decide_chain(books: Books, chain: Sequence[Command]) -> list[Outcome]:
    draft = Draft(books)
    outcomes: list[Outcome] = []
    for place, command in enumerate(chain):
        try:
            outcomes.append(_do(draft, command))
        except Refusal as refusal:
            return _refused(chain, place, refusal)
    books.keep(draft)
    return outcomes


def _do(draft: Draft, command: Command) -> Outcome:
    if isinstance(command, Posting):
        return posting_rules.post(draft, command)
    if isinstance(command, Resolution):
        return resolution_rules.resolve(draft, command)
    return reversal_rules.reverse(draft, command)


def _refused(chain: Sequence[Command], place: int, refusal: Refusal) -> list[Outcome]:
    companions = LinkedRefused(chain[place].reference)
    return [refusal if index == place else companions for index in range(len(chain))]
