"""Fault points are inert unless named, and cannot be named in production."""

from pathlib import Path

import pytest

from chassis.faults import FaultPoints, InjectedFault


async def test_unnamed_points_are_inert() -> None:
    """Passing a point that no plan names does nothing."""
    await FaultPoints().reach("anything")


async def test_fault_strikes_at_the_nth_passing_only() -> None:
    """A point may be passed before and after its fault."""
    faults = FaultPoints.parse("here=fail@2", "development")

    await faults.reach("here")
    with pytest.raises(InjectedFault):
        await faults.reach("here")
    await faults.reach("here")


@pytest.mark.parametrize("text", ["here", "here=explode", "=", "here=sleep"])
def test_malformed_plans_are_refused(text: str) -> None:
    """A slip in a plan is told, not ignored."""
    with pytest.raises(ValueError, match="FAULT_POINTS"):
        FaultPoints.parse(text, "development")


def test_production_has_no_faults() -> None:
    """A service does not start in production with a fault planned."""
    with pytest.raises(ValueError, match="production"):
        FaultPoints.parse("here=kill", "production")


async def test_a_plan_in_a_file_is_read_anew(tmp_path: Path) -> None:
    """A test changes what a running process dies of; the passings count from the change."""
    plan = tmp_path / "plan"
    plan.write_text("")
    faults = FaultPoints.parse(f"@{plan}", "development")

    await faults.reach("here")
    plan.write_text("here=fail@2")
    await faults.reach("here")
    with pytest.raises(InjectedFault):
        await faults.reach("here")
    plan.write_text("there=fail")
    await faults.reach("here")


def test_production_has_no_file_of_faults(tmp_path: Path) -> None:
    """Nor does a plan that could be written later start there."""
    with pytest.raises(ValueError, match="production"):
        FaultPoints.parse(f"@{tmp_path / 'plan'}", "production")
