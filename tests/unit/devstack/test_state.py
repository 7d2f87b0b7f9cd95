"""What a state folder keeps."""

import stat
from pathlib import Path

import pytest

from devstack.state import StackError, State, write_private


def mode(file: Path) -> int:
    """Read a file's permissions."""
    return stat.S_IMODE(file.stat().st_mode)


def test_a_secret_stays_the_same_and_is_ours_alone(tmp_path: Path) -> None:
    """The first asking makes it; it is different in another state; others cannot read it."""
    state, other = State(tmp_path / "one"), State(tmp_path / "two")
    state.prepare()
    other.prepare()

    first = state.secret("redis")

    assert State(state.folder).secret("redis") == first
    assert len(first) >= 32
    assert other.secret("redis") != first
    assert mode(state.folder / "secrets.json") == 0o600


def test_a_folder_lets_others_pass_but_not_look(tmp_path: Path) -> None:
    """PostgreSQL's own user reaches its data; nobody reads the logs."""
    state = State(tmp_path / "state")

    state.prepare()

    assert mode(state.folder) == 0o711
    assert mode(state.logs) == 0o700


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path: Path) -> None:
    """A file in the place of the folder is told, not thrown."""
    (tmp_path / "file").write_text("")

    with pytest.raises(StackError, match="cannot use"):
        State(tmp_path / "file").prepare()


def test_what_a_crash_cut_off_counts_as_absent(tmp_path: Path) -> None:
    """Half a stack.json is no stack."""
    state = State(tmp_path)
    state.stack_file.write_text('{"edge": {"url"')

    assert state.stack() is None
    assert state.supervisor() is None
    assert state.children() == {}


def test_what_is_written_privately_is_readable_by_us_alone(tmp_path: Path) -> None:
    """A reader sees the old content or the new, and is the owner."""
    file = tmp_path / "stack.json"
    write_private(file, {"a": 1})
    write_private(file, {"a": 2})

    assert State(tmp_path).stack() == {"a": 2}
    assert mode(file) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["stack.json"]


def test_a_planned_fault_is_taken_once(tmp_path: Path) -> None:
    """The start after the faulty one is calm."""
    state = State(tmp_path)
    state.plan_fault("risk_svc", "point=kill")

    assert state.take_fault("ledger_svc") == ""
    assert state.take_fault("risk_svc") == "point=kill"
    assert state.take_fault("risk_svc") == ""
