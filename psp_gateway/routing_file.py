"""Reads the routing rules from their file."""

import tomllib
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from psp_gateway.domain.attempt import Method
from psp_gateway.domain.routing import Rule, Weighted

DEFAULT = Path(__file__).with_name("routing.toml")

_LISTS = ("methods", "currencies", "countries", "clients")
_AMOUNTS = ("above", "up_to")
_KEYS = frozenset({"name", "psps", "hosted_page", *_LISTS, *_AMOUNTS})


class InvalidRouting(ValueError):
    """The file cannot be read as rules; says which rule and why."""


def read_rules(path: Path, psps: Collection[str]) -> Sequence[Rule]:
    """Read the rules.

    Args:
        path: of a TOML file as `routing.toml`.
        psps: the names that rules may use.

    Raises:
        InvalidRouting: it is not there, is no TOML, or a rule is wrong.
    """
    try:
        content = tomllib.loads(path.read_text())
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise InvalidRouting(f"{path}: {error}") from error
    rules = content.get("rules")
    if content.keys() != {"rules"} or not isinstance(rules, list) or not rules:
        raise InvalidRouting(f"{path}: it must be a list of [[rules]], and nothing else")
    read = [_rule(rule, f"{path}: rule {number}", psps) for number, rule in enumerate(rules, 1)]
    names = [rule.name for rule in read]
    if len(set(names)) < len(names):
        raise InvalidRouting(f"{path}: two rules have the same name")
    return read


def _rule(given: Mapping[str, Any], where: str, psps: Collection[str]) -> Rule:
    if unknown := sorted(given.keys() - _KEYS):
        raise InvalidRouting(f"{where}: unknown {', '.join(unknown)}")
    if not isinstance(given.get("name"), str) or not given["name"]:
        raise InvalidRouting(f"{where}: it has no name")
    where = f"{where}, {given['name']!r}"
    lists = {name: _words(given.get(name, []), f"{where}: {name}") for name in _LISTS}
    above, up_to = (_amount(given.get(name), f"{where}: {name}") for name in _AMOUNTS)
    if (above, up_to) != (None, None) and len(lists["currencies"]) != 1:
        raise InvalidRouting(f"{where}: a bound of the amount goes with exactly one currency")
    return Rule(
        name=given["name"],
        psps=_weights(given.get("psps"), where, psps),
        methods=_methods(lists["methods"], where),
        currencies=lists["currencies"],
        countries=lists["countries"],
        clients=lists["clients"],
        above=above,
        up_to=up_to,
        hosted_page=_flag(given.get("hosted_page"), f"{where}: hosted_page"),
    )


def _weights(given: object, where: str, psps: Collection[str]) -> tuple[Weighted, ...]:
    if not isinstance(given, dict) or not given:
        raise InvalidRouting(f"{where}: psps must name a PSP with its weight")
    for psp, weight in given.items():
        if psp not in psps:
            raise InvalidRouting(f"{where}: there is no PSP {psp!r}; {', '.join(sorted(psps))}")
        if type(weight) is not int or not 0 <= weight <= 1000:
            raise InvalidRouting(f"{where}: the weight of {psp} must be 0 to 1000")
    if not any(given.values()):
        raise InvalidRouting(f"{where}: one PSP at least must have a weight above 0")
    return tuple(Weighted(psp, weight) for psp, weight in given.items())


def _words(given: object, where: str) -> frozenset[str]:
    if not isinstance(given, list) or not all(isinstance(word, str) for word in given):
        raise InvalidRouting(f"{where} must be a list of words")
    return frozenset(given)


def _methods(words: frozenset[str], where: str) -> frozenset[Method]:
    if unknown := sorted(words - {method.value for method in Method}):
        raise InvalidRouting(f"{where}: unknown method {', '.join(unknown)}")
    return frozenset(Method(word) for word in words)


def _flag(given: object, where: str) -> bool | None:
    if given is not None and not isinstance(given, bool):
        raise InvalidRouting(f"{where} must be true or false")
    return given


def _amount(given: object, where: str) -> Decimal | None:
    if given is None:
        return None
    try:
        read = Decimal(given) if isinstance(given, str) else Decimal("NaN")
    except InvalidOperation:
        read = Decimal("NaN")
    if not read.is_finite() or read < 0:
        raise InvalidRouting(f"{where} must be a decimal string")
    return read
