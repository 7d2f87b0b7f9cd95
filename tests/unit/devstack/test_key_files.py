"""The keys files of a stack: private, made once, changed in one move."""

import base64
from pathlib import Path

import pytest

from devstack.key_files import add_key, drop_keys, keys_file
from devstack.state import State


@pytest.fixture
def state(tmp_path: Path) -> State:
    """An empty state folder."""
    state = State(tmp_path)
    state.prepare()
    return state


def names(file: Path) -> list[str]:
    """Read the names of the keys in a file."""
    return [line.split()[0] for line in file.read_text().splitlines()]


def test_a_file_is_made_once_and_is_its_owners_alone(state: State) -> None:
    """Each service has its own; a second start finds it as it was."""
    one, other = keys_file(state, "payment"), keys_file(state, "psp")
    text = one.read_text()

    assert keys_file(state, "payment").read_text() == text
    assert text != other.read_text()
    assert len(base64.b64decode(text.split()[1])) == 32
    assert {path.stat().st_mode & 0o777 for path in (one, other)} == {0o600}
    assert one.parent.stat().st_mode & 0o777 == 0o700


def test_a_new_key_comes_first_and_the_unused_go(state: State) -> None:
    """The newest stays whether it is used or not; a name is never used twice."""
    file = keys_file(state, "payment")
    added = [add_key(file), add_key(file)]

    assert added == ["k2", "k3"]
    assert names(file) == ["k3", "k2", "k1"]
    assert drop_keys(file, {"k1"}) == ["k2"]
    assert names(file) == ["k3", "k1"]
    assert drop_keys(file, set()) == ["k1"]
    assert names(file) == ["k3"]
    assert add_key(file) == "k4"
    assert file.stat().st_mode & 0o777 == 0o600
