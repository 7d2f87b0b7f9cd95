"""Velocity: how many attempts a buyer, a card or an address may make in an hour.

Every attempt counts, refused ones too, and none is given back: card testers get no free tries.
"""

from collections.abc import Mapping

from risk_svc.domain.assessment import RuleHit, Subject


def velocity(counts: Mapping[Subject, int], limits: Mapping[Subject, int]) -> list[RuleHit]:
    """Speak against more attempts than the limit in an hour, this one included; 0 is no limit."""
    return [
        RuleHit(
            rule=f"velocity_{subject.value}",
            reason="VELOCITY_EXCEEDED",
            message=f"{count} attempts of one {subject.value} in an hour, over {limits[subject]}.",
        )
        for subject, count in counts.items()
        if 0 < limits[subject] < count
    ]
