"""Stripe's form encoding: `a[b]=1&c[0]=2` read as a tree."""

import re
from collections.abc import Iterable
from urllib.parse import unquote_to_bytes

# A tree's leaves are strings; lists stay mappings from index to value, as the wire has them.
Tree = dict[str, "str | Tree"]

_NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_PART = re.compile(r"\[([^\[\]]*)\]")
_DEPTH_MAX = 5
_PAIRS_MAX = 1_000


class MalformedForm(ValueError):
    """The text is no form that Stripe would read."""


def pairs_of(text: str) -> list[tuple[str, str]]:
    """Split an encoded form into its pairs, in order, blank values kept.

    Raises:
        MalformedForm: not UTF-8, or above 1,000 pairs.
    """
    parts = [part for part in text.split("&") if part]
    if len(parts) > _PAIRS_MAX:
        raise MalformedForm(f"more than {_PAIRS_MAX} parameters")
    pairs = []
    for part in parts:
        name, _, value = part.partition("=")
        pairs.append((_unquote(name), _unquote(value)))
    return pairs


def _unquote(text: str) -> str:
    text = text.replace("+", " ")
    if "%" not in text:
        return text
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeDecodeError as error:
        raise MalformedForm("a parameter is not UTF-8") from error


def tree_of(pairs: Iterable[tuple[str, str]]) -> Tree:
    """Nest pairs by the brackets in their names; `a[]` counts up. A repeated name keeps its last
    value.

    Raises:
        MalformedForm: broken brackets, deeper than 5, or a name that is both a value and a parent.
    """
    tree: Tree = {}
    for name, value in pairs:
        if "[" not in name and "]" not in name:
            _put(tree, name, value)
            continue
        match = _NAME.fullmatch(name)
        if match is None:
            raise MalformedForm(f"invalid parameter name: {name}")
        path = [match[1], *_PART.findall(match[2])]
        if len(path) > _DEPTH_MAX:
            raise MalformedForm(f"nested too deep: {name}")
        node = tree
        for part in path[:-1]:
            child = node.setdefault(part or str(len(node)), {})
            if isinstance(child, str):
                raise MalformedForm(f"both a value and a parent: {name}")
            node = child
        _put(node, path[-1] or str(len(node)), value)
    return tree


def _put(node: Tree, name: str, value: str) -> None:
    if isinstance(node.get(name), dict):
        raise MalformedForm(f"both a value and a parent: {name}")
    node[name] = value
