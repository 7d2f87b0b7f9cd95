"""What is held against a payment's trail once all is quiet."""

from collections.abc import Mapping

from devstack.invariants import check
from devstack.trail import Trail
from tests.faults.matrix.catalogue import DECLINE, Case

_EFFECTS = ("charge", "authorization", "capture", "void", "refund")


def judge(case: Case, trail: Trail, told: Mapping[str, str]) -> list[str]:
    """List what is wrong; empty when nothing is."""
    return [*_ending(case, trail), *unsound(trail, told)]


def unsound(trail: Trail, told: Mapping[str, str]) -> list[str]:
    """List what is wrong with a payment, however it should have ended."""
    broken = [f"{v.name}: {v.statement}: {v.evidence}" for v in check(trail) if not v.holds]
    return [*broken, *_once(trail), *_journals(trail), *_told(trail, told)]


def _ending(case: Case, trail: Trail) -> list[str]:
    usual = "FAILED" if case.behaviour is DECLINE else case.flow.ends
    right = {usual, "FAILED"} if case.behaviour.may_fail else {usual}
    status = trail.payment["status"]
    return [] if status in right else [f"it ended {status}, and not {' or '.join(sorted(right))}"]


def _once(trail: Trail) -> list[str]:
    """No effect of a kind may be in the PSP's own record twice."""
    kinds = [record["kind"] for record in trail.psp_record]
    return [f"{kinds.count(k)} {k}s at the PSP" for k in _EFFECTS if kinds.count(k) > 1]


def _journals(trail: Trail) -> list[str]:
    """Each saga's journal is numbered without a gap, and none is left for a person."""
    problems = []
    for saga in trail.sagas:
        numbers = [int(step["sequence"]) for step in saga["steps"]]
        if numbers != list(range(1, len(numbers) + 1)):
            problems.append(f"{saga['kind']}'s journal is numbered {numbers}")
        if saga["queue"] == "DEAD_LETTER":
            problems.append(f"{saga['kind']} is for a person: {saga['reason']}")
    return problems


def _told(trail: Trail, told: Mapping[str, str]) -> list[str]:
    """The shop has heard of the status that it ended with."""
    status = trail.payment["status"].lower()
    heard = sorted(told.values())
    return [] if f"payment.{status}" in heard else [f"the shop heard {heard} only"]
