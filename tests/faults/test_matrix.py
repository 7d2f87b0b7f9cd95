"""A slice of the crash matrix: every point once, each with another behaviour of the PSP."""

from tests.faults.matrix.catalogue import BEHAVIOURS, cases, slice_of
from tests.faults.matrix.play import Played
from tests.faults.matrix.run import matrix


def test_every_point_once() -> None:
    """A service dies at every named point; nothing is lost, and nothing happens twice."""
    chosen = slice_of(cases())
    heard: list[Played] = []

    played, _ = matrix(chosen, lanes=4, tell=heard.append)

    told = [f"{one.case.name}: {problem}" for one in played for problem in one.problems]
    assert told == []
    assert len(heard) == len(chosen)
    assert {one.case.behaviour.name for one in played} == {one.name for one in BEHAVIOURS}


def test_the_matrix_is_large_enough() -> None:
    """What `make faults` plays: at least 600 cases, each under a name of its own."""
    names = [case.name for case in cases()]

    assert len(names) >= 600
    assert len(set(names)) == len(names)
    assert any(name.endswith("/2") for name in names)
