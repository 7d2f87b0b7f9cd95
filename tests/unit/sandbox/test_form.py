"""Stripe's form encoding."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devstack.sandbox.stripe.form import MalformedForm, Tree, pairs_of, tree_of

NAMES = st.text(min_size=1, max_size=6).filter(lambda text: "[" not in text and "]" not in text)
TREES = st.dictionaries(
    NAMES,
    st.recursive(
        st.text(max_size=8),
        lambda children: st.dictionaries(NAMES, children, min_size=1, max_size=3),
        max_leaves=6,
    ),
    max_size=4,
)


def depth(tree: object) -> int:
    """Measure how deep a tree is nested."""
    return 1 + max(map(depth, tree.values()), default=0) if isinstance(tree, dict) else 0


def encoded(tree: Tree, prefix: str = "") -> list[str]:
    """Write a tree as Stripe's SDKs do."""
    parts: list[str] = []
    for name, value in tree.items():
        full = f"{prefix}[{name}]" if prefix else name
        if isinstance(value, dict):
            parts += encoded(value, full)
        else:
            parts.append(f"{quote(full, safe='')}={quote(value, safe='')}")
    return parts


@given(TREES.filter(lambda tree: depth(tree) <= 5))
def test_round_trip(tree: Tree) -> None:
    """What is encoded is read back as it was."""
    assert tree_of(pairs_of("&".join(encoded(tree)))) == tree


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text makes the decoder fail otherwise than by its own refusal."""
    try:
        tree = tree_of(pairs_of(text))
    except MalformedForm:
        return

    assert depth(tree) <= 5


def test_lists_count_up() -> None:
    """`a[]` and `a[0]` are both lists; plus and percent are decoded."""
    pairs = pairs_of("a[]=x+y&a[]=%C3%A9&b[0]=1&b[1]=2&c[d][e]=")

    assert tree_of(pairs) == {
        "a": {"0": "x y", "1": "é"},
        "b": {"0": "1", "1": "2"},
        "c": {"d": {"e": ""}},
    }


@pytest.mark.parametrize("text", ["a[b=1", "a]=1", "[a]=1", "a=1&a[b]=2", "a[b]=2&a=1",
                                  "a[b][c][d][e][f]=1", "a=%FF", "a[b]c=1"])  # fmt: skip
def test_broken_forms_are_refused(text: str) -> None:
    """Broken brackets, a name of two natures, depth and bad UTF-8 are told."""
    with pytest.raises(MalformedForm):
        tree_of(pairs_of(text))


def test_too_many_parameters_are_refused() -> None:
    """The number of parameters is bounded."""
    with pytest.raises(MalformedForm):
        pairs_of("&".join(f"a{number}=1" for number in range(1_001)))
