"""A masked value shows itself to nobody who does not ask for it."""

import copy
import json
import pickle
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from privacy.masked import Masked, Personal, Secret, personal, revealed, secret

CANARY = "canary-4711"


@dataclass(frozen=True)
class Holder:
    """Something of the domain that holds one."""

    key: Secret[str]


@pytest.mark.parametrize("value", [Secret(CANARY), Personal(CANARY), Secret(CANARY.encode())])
def test_no_way_of_writing_it_shows_it(value: Masked[str]) -> None:
    """Repr, str, format, percent, in collections, in a dataclass, in an error: all are masked."""
    written = [
        repr(value), str(value), f"{value}", f"{value!r:>40}", f"{value:>40}",
        "%s %r" % (value, value),  # noqa: UP031
        repr([value]), str({value: value}), repr(Holder(value)), str(ValueError(value)),
        repr(vars(type(value))), json.dumps([value], default=repr), ascii(value),
    ]  # fmt: skip

    assert not [text for text in written if CANARY in text]


@pytest.mark.parametrize("write", [json.dumps, pickle.dumps, list, len, iter, bytes, int, "".join])
def test_it_is_no_text(write: object) -> None:
    """What takes a text or its parts does not take it."""
    with pytest.raises(TypeError):
        write(Secret(CANARY))  # type: ignore[operator]


@given(text=st.text(), other=st.text())
def test_it_gives_back_what_it_was_given(text: str, other: str) -> None:
    """It reveals its value, is equal by it within its type, and true when it is not empty."""
    assert Secret(text).reveal() == text
    assert (Secret(text) == Secret(other)) == (text == other)
    assert Secret(text) != Personal(text)
    assert Secret(text) != text
    assert bool(Personal(text)) == bool(text)
    assert len({Secret(text), Secret(text)}) == 1
    assert copy.deepcopy([Secret(text)]) == [Secret(text)]


def test_what_may_be_absent_stays_absent() -> None:
    """None is masked as None, and revealed as None."""
    assert (secret(None), personal(None), revealed(None)) == (None, None, None)
    assert revealed(secret("a")) == revealed(personal("a")) == "a"


def test_nothing_is_masked_twice() -> None:
    """Only texts and bytes are masked: a mask in a mask would be revealed half."""
    with pytest.raises(TypeError):
        Secret(Secret("a"))  # type: ignore[type-var]
