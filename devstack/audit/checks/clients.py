"""What must be true of what clients were answered and told, and of what nobody may ever see."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from devstack.audit.checks import moves
from devstack.audit.facts import Facts
from devstack.audit.live import READABLE
from devstack.audit.told import Answer, Told
from devstack.audit.verdict import Offence

_CHUNK = 1 << 20


def no_answers(_: Facts, told: Told) -> str:
    """Need the log of what clients were answered."""
    return "nobody kept what clients were answered" if told.answers is None else ""


def no_notices(_: Facts, told: Told) -> str:
    """Need the log of what receivers got."""
    return "nobody kept what the receivers of webhooks got" if told.notices is None else ""


def no_canaries(_: Facts, told: Told) -> str:
    """Need canaries."""
    return "" if told.canaries else "no canaries were planted"


def no_refusals(_: Facts, told: Told) -> str:
    """Need refused requests."""
    return "" if told.refusals else "no refused request was watched"


def contradicted(facts: Facts, told: Told) -> Iterator[Offence]:
    """Tell answers that another, or the payment as it is, takes back: what was final stays, and the
    same key answers the same payment, word for word.
    """
    by_payment: dict[str, list[Answer]] = defaultdict(list)
    by_key: dict[tuple[str, str, str], list[Answer]] = defaultdict(list)
    for answer in told.answers or ():
        if answer.payment_id and answer.status:
            by_payment[answer.payment_id].append(answer)
        if answer.key and answer.body is not None and answer.http_status == 200:
            by_key[answer.client_id, answer.verb, answer.key].append(answer)
    for payment_id, answers in by_payment.items():
        yield from _taken_back(payment_id, answers)
        kept = facts.payments.get(payment_id)
        for answer in answers:
            if kept and kept.status not in moves.reachable(answer.status):
                yield Offence(payment_id, f"was answered {answer.status}, and is {kept.status}")
    for (client_id, verb, key), same in by_key.items():
        first = min(same, key=lambda one: one.answered_at)
        for other in same:
            if other.body != first.body:
                told_ = f"answered {verb} by {first.body}, then by {other.body}"
                yield Offence(f"{client_id} {key}", told_)


def _taken_back(payment_id: str, answers: Sequence[Answer]) -> Iterator[Offence]:
    """Compare each answer with the final ones that had come before it was asked for."""
    final: Answer | None = None
    waiting = sorted(answers, key=lambda one: one.answered_at)
    place = 0
    for answer in sorted(answers, key=lambda one: one.sent_at):
        while place < len(waiting) and waiting[place].answered_at <= answer.sent_at:
            if waiting[place].status in moves.FINAL:
                final = waiting[place]
            place += 1
        is_fresh = answer.body is None or answer.verb == "get"  # a replay answers as it did then
        if final and is_fresh and answer.status not in moves.reachable(final.status):
            told = f"was answered {final.status}, and later {answer.status}"
            yield Offence(payment_id, told)


def untold(facts: Facts, told: Told) -> Iterator[Offence]:
    """Tell final payments of which the outbox, or a receiver, was not told how they ended."""
    events = {event.object_id: event for event in facts.events}
    newest: dict[str, tuple[int, str]] = {}
    for notice in told.notices or ():
        known = newest.get(notice.object_id, (0, ""))
        newest[notice.object_id] = max(known, (notice.sequence, notice.status))
    for payment_id, payment in facts.at_rest.items():
        event = events.get(payment_id)
        if event is None or event.status != payment.status:
            said = event.status if event else "nothing"
            yield Offence(payment_id, f"is {payment.status}, its events say {said}")
            continue
        if event.number != event.highest:
            yield Offence(payment_id, f"has {event.number} events, the last is {event.highest}")
        if event.unpublished:
            yield Offence(payment_id, f"has {event.unpublished} events that are not published")
        is_final = payment.status in moves.FINAL
        if is_final and told.notices is not None and payment.client_id in told.notified_clients:
            if told.notified_since and payment.created_at < told.notified_since:
                continue
            _sequence, heard = newest.get(payment_id, (0, "nothing"))
            if heard != payment.status:
                yield Offence(payment_id, f"is {payment.status}, its client last heard {heard}")


def canaries_seen(_: Facts, told: Told) -> Iterator[Offence]:
    """Tell files and tables in which a canary is to be seen."""
    canaries = told.canaries or {}
    for folder in told.folders:
        for path in sorted(one for one in folder.rglob("*") if one.is_file()):
            for name in _in_file(path, canaries):
                yield Offence(name, f"is in {path.relative_to(folder.parent)}")
    for where, url in (told.dumps or {}).items():
        yield from _in_database(where, url, canaries)


def _in_file(path: Path, canaries: Mapping[str, str]) -> list[str]:
    rest = {name: value.encode() for name, value in canaries.items()}
    longest = max(map(len, rest.values()))
    found, tail = [], b""
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            window = tail + chunk
            for name in [name for name, value in rest.items() if value in window]:
                found.append(name)
                del rest[name]
            tail = window[-longest:]
    return found


def _in_database(where: str, url: str, canaries: Mapping[str, str]) -> Iterator[Offence]:
    import psycopg
    from psycopg import sql

    counted = sql.SQL(
        "SELECT count(*) FROM {} AS t WHERE strpos(t::text, %(plain)s) > 0"
        " OR strpos(t::text, encode(convert_to(%(plain)s, 'UTF8'), 'hex')) > 0"
    )
    with psycopg.connect(url, connect_timeout=10) as connection:
        connection.read_only = True
        for (table,) in connection.execute(READABLE).fetchall():
            for name, value in canaries.items():
                query = counted.format(sql.Identifier(table))
                row = connection.execute(query, {"plain": value}).fetchone()
                if row and row[0]:
                    yield Offence(name, f"is in {row[0]} rows of {where}.{table}")


def changed_by_refusals(_: Facts, told: Told) -> Iterator[Offence]:
    """Tell tables that a refused request changed."""
    for refusal in told.refusals or ():
        for table in sorted(refusal.before.keys() | refusal.after.keys()):
            if refusal.before.get(table) != refusal.after.get(table):
                yield Offence(refusal.what, f"was refused, and changed {table}")


def unlogged(facts: Facts, _: Told) -> Iterator[Offence]:
    """Tell what the services found wrong with their audit logs, or changed that is not in them."""
    for log in facts.logs or ():
        yield from (Offence(f"{log.service} {subject}", how) for subject, how in log.offences)
        if more := log.offence_count - len(log.offences):
            yield Offence(log.service, f"{more} things more are wrong")
