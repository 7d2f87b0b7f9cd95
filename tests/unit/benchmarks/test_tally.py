"""Counting what callers saw."""

from benchmarks.tally import Tally, quantile_ms


def test_quantiles_are_of_what_was_seen() -> None:
    """A quantile is a time that some request took, not one between two."""
    ordered = [number / 1000 for number in range(1, 101)]

    assert quantile_ms(ordered, 0.5) == 51
    assert quantile_ms(ordered, 0.99) == 100
    assert quantile_ms([], 0.99) == 0


def test_a_request_without_an_answer_took_its_time_too() -> None:
    """What failed is in the times, in the errors, and of unknown end."""
    tally = Tally()

    tally.answered(0.1, 98, ["ACCOUNT_FROZEN", "ACCOUNT_FROZEN"])
    tally.lost(30.0, "DEADLINE_EXCEEDED", 100)

    assert tally.times_s == [0.1, 30.0]
    assert (tally.done, tally.unknown) == (98, 100)
    assert tally.errors == {"ACCOUNT_FROZEN": 2, "DEADLINE_EXCEEDED": 1}
