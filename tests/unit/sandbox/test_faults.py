"""Which fault strikes which call."""

from hypothesis import given
from hypothesis import strategies as st

from devstack.sandbox.faults import STAGES, Fault, FaultBook, Stage, Target

CONFIRM = Target("stripe", "confirm", {"payment_id": "pay_1"})


def book(*faults: Fault, seed: int = 1) -> FaultBook:
    """Make a book with these faults in force."""
    made = FaultBook(seed)
    for fault in faults:
        made.add(fault)
    return made


def strikes(faults: FaultBook, stage: Stage, calls: int, target: Target = CONFIRM) -> list[bool]:
    """Tell of each of so many calls whether it is struck."""
    return [faults.strike(stage, target) is not None for _ in range(calls)]


def test_the_next_calls_are_struck_and_counted() -> None:
    """After those skipped, the next calls are struck, as many as asked for."""
    fault = Fault(1, "error_before", times=2, skip=1)
    faults = book(fault)

    assert strikes(faults, Stage.EXECUTE, 5) == [False, True, True, False, False]
    assert (fault.seen, fault.struck, fault.spent) == (3, 2, True)
    assert faults.struck == {"error_before": 2}


def test_only_what_matches_is_struck() -> None:
    """A fault waits for its psp, operation, metadata, stage and sense."""
    fault = Fault(
        1, "malformed", psp="stripe", operation="confirm", metadata={"payment_id": "pay_1"}
    )
    faults = book(fault)
    others = [
        Target("paypal", "confirm", {"payment_id": "pay_1"}),
        Target("stripe", "create", {"payment_id": "pay_1"}),
        Target("stripe", "confirm", {"payment_id": "pay_2"}),
        Target("stripe", "confirm", {}),
        Target("stripe", "confirm", {"payment_id": "pay_1"}, frozenset({"wrong_amount"})),
    ]

    assert not any(faults.strike(Stage.ANSWER, other) for other in others)
    assert faults.strike(Stage.EXECUTE, CONFIRM) is None
    assert fault.seen == 0
    assert faults.strike(Stage.ANSWER, CONFIRM) is fault


@given(st.integers(0, 2**32), st.floats(0.01, 0.99))
def test_chance_is_seeded(seed: int, probability: float) -> None:
    """The same seed strikes the same calls."""
    fault = {"kind": "slow", "times": None, "probability": probability}
    first, second = (
        strikes(book(Fault(1, **fault), seed=seed), Stage.EXECUTE, 50)  # type: ignore[arg-type]
        for _ in range(2)
    )

    assert first == second


def test_chance_is_about_as_asked() -> None:
    """A fault of 30 percent strikes about 30 percent."""
    faults = book(Fault(1, "slow", times=None, probability=0.3))

    assert 2_500 < sum(strikes(faults, Stage.EXECUTE, 10_000)) < 3_500


def test_the_oldest_that_fits_strikes() -> None:
    """One fault strikes a call at a stage; when it is spent the next has its turn."""
    faults = book(Fault(1, "error_before"), Fault(2, "error_after"))
    kinds = [
        fault and fault.kind for fault in (faults.strike(Stage.EXECUTE, CONFIRM) for _ in "abc")
    ]

    assert kinds == ["error_before", "error_after", None]


def test_lifting() -> None:
    """Lifted faults strike no more; the counts and numbers go on."""
    faults = book(Fault(1, "slow", times=None), Fault(2, "slow", times=None))
    strikes(faults, Stage.EXECUTE, 3)

    assert faults.remove(1)
    assert not faults.remove(1)
    assert faults.clear() == 1
    assert strikes(faults, Stage.EXECUTE, 2) == [False, False]
    assert faults.struck == {"slow": 3}
    assert faults.next_number() == 3


def test_each_kind_has_its_stage() -> None:
    """Only what happens before the key cache sits in front of it."""
    assert {kind for kind, stage in STAGES.items() if stage is Stage.FRONT} == {"rate_limit"}
