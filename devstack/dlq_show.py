"""What `paymesh dlq` tells a person, line by line."""

from collections.abc import Mapping, Sequence
from typing import Any

Found = Mapping[str, Any]


def listing(found: Found) -> Sequence[str]:
    """Tell how deep the queues are, then who stands in one."""
    depths = [
        f"{q['queue']:<12} {q['kind']:<10} {q['reason_class']:<18} {q['depth']:>6}"
        f"  oldest {_seconds(q['oldest_age'])}"
        for q in found["queues"]
    ]
    sagas = [
        f"{s['saga_id']}  {s['payment_id']}  {_step(s)}  {s['reason'] or '-'}"
        for s in found["sagas"]
    ]
    return [*(depths or ["all queues are empty"]), "", *(sagas or ["none"])]


def saga(found: Found) -> Sequence[str]:
    """Tell a saga, what it would do, and what was proposed about it."""
    about = [line for item in found["resolutions"] for line in ("", *resolution(item))]
    if "is_over" in found:
        return [found["is_over"], *about]
    return [*plan(found), f"payment: paymesh explain {found['saga']['payment_id']}", *about]


def plan(found: Found) -> Sequence[str]:
    """Tell what a saga would do."""
    it, told = found["saga"], found["plan"]
    keys = ", ".join(f"{key['name']} {key['value']}" for key in told["keys"])
    amount = f" {told['amount']} {told['currency']}" if told["amount"] else ""
    asks = (
        f"{told['command']}{amount} under {keys}" if told["command"] else "nothing of the outside"
    )
    if told["problem"]:
        asks = f"nothing: it cannot even be asked ({told['problem']}); it needs a new version"
    return [
        f"{it['saga_id']} {it['queue']} at {_step(it)}: {it['reason'] or 'nothing is wrong'}",
        f"would {told['action']} step {told['step']}: asks {asks}",
        told["policy"],
    ]


def chosen(found: Found, per_second: float) -> Sequence[str]:
    """Tell how many would go on of how many, why they stand there, and the first of them."""
    count, total, named = found["going_on"], found["total_count"], found["saga_ids"]
    of = f" of {total:,}" if total > count else ""
    first = f" (the first {found['count']:,})" if found["count"] < count else ""
    why = ", ".join(f"{name} {count}" for name, count in sorted(found["by_reason_class"].items()))
    rest = [f"  … {count - len(named):,} more"] if count > len(named) else []
    return [
        f"would let {count:,}{of} go on, {per_second:g} a second: {why}{first}",
        *(f"  {saga_id}" for saga_id in named[:count]),
        *rest,
    ]


def let_on(found: Found) -> Sequence[str]:
    """Tell what was let go on."""
    if "count" in found:
        rest = "; more are left" if found["has_more"] else ""
        return [f"let {found['count']} go on, {found['per_second']:g} a second{rest}"]
    return [f"let {found['saga']['saga_id']} go on"]


def resolutions(found: Sequence[Found]) -> Sequence[str]:
    """Tell resolutions, a block each."""
    return [line for item in found for line in (*resolution(item), "")] or ["none"]


def resolution(found: Found) -> Sequence[str]:
    """Tell a resolution."""
    money = f" {found['amount']} {found['currency']}" if found["amount"] else ""
    reference = f" {found['psp_reference']}" if found["psp_reference"] else ""
    said = f"{found['decision']}{money}{reference} of step {found['step']} ({found['action']})"
    lines = [
        f"{found['resolution_id']} {found['status']}: {said} of {found['saga_id']}",
        f"  proposed by {_actor(found['proposed_by'])}: {found['reason']}",
        f"  evidence: {found['evidence']} {found['evidence_link']}".rstrip(),
    ]
    if found["status"] == "PROPOSED":
        lines.append(f"  another person: paymesh dlq approve {found['resolution_id']} --why …")
    if "decided_by" in found:
        lines.append(f"  decided by {_actor(found['decided_by'])}")
    if found["note"]:
        lines.append(f"  {found['note']}")
    return lines


def key(found: Found) -> Sequence[str]:
    """Tell what is kept under a key."""
    fields = ", ".join(found["fingerprint_fields"])
    return [
        f"{found['payment_id']} {found['payment_status']}, accepted {_seconds(found['age'])} ago",
        f"fields: {fields}",
    ]


def _step(found: Found) -> str:
    back = ", going back" if found["turned_round"] else ""
    return f"{found['kind']}.{found['step']}{back}"


def _actor(found: Found) -> str:
    return str(found["name"]) if found["verified"] else f"{found['name']} (unverified)"


def _seconds(text: str) -> str:
    """Say a span that a message tells as "12.5s"."""
    seconds = int(float(text.removesuffix("s") or 0))
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
