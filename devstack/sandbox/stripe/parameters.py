"""A call's parameters, read by name and type; each refusal in Stripe's words."""

import re
from collections.abc import Collection
from dataclasses import dataclass

from devstack.sandbox.stripe.errors import invalid
from devstack.sandbox.stripe.form import MalformedForm, Tree, tree_of

_INTEGER = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_METADATA_MAX = 50
_KEY_MAX = 40
_VALUE_MAX = 500
_LIMIT = 10
_LIMIT_MAX = 100
_BOUNDS = frozenset({"gt", "gte", "lt", "lte"})


@dataclass(frozen=True, slots=True)
class Window:
    """The part of a list that is asked for.

    Args:
        limit: 1 to 100 objects.
        starting_after, ending_before: ids between which it lies, newest first.
        since, until: Unix seconds, inclusive.
    """

    limit: int = _LIMIT
    starting_after: str | None = None
    ending_before: str | None = None
    since: int | None = None
    until: int | None = None

    def covers(self, created: int) -> bool:
        """Tell whether an object of that time belongs to it."""
        return (self.since is None or created >= self.since) and (
            self.until is None or created <= self.until
        )


class Parameters:
    """The parameters of one call, none of them unknown.

    Args:
        pairs: as they were sent.
        known: the names that the call has.
        newest: Unix seconds; what came about after it is not in the lists yet. None: all is.

    Raises:
        StripeError: the form is malformed, or holds a parameter that is not known.
    """

    def __init__(
        self, pairs: list[tuple[str, str]], known: Collection[str], newest: int | None = None
    ) -> None:
        self._newest = newest
        try:
            self._tree = tree_of(pairs)
        except MalformedForm as error:
            raise invalid(f"Invalid form: {error}") from error
        _refuse_unknown(self._tree, known)

    def text(self, name: str) -> str | None:
        """Read a string; an empty one counts as absent."""
        value = self._tree.get(name)
        if isinstance(value, dict):
            raise invalid(f"Invalid string: {name}", code="parameter_invalid_string", param=name)
        if value is not None and len(value) > 5_000:
            raise invalid(f"Invalid {name}: too long", param=name)
        return value or None

    def required(self, name: str) -> str:
        """Read a string that must be there."""
        value = self.text(name)
        if value is None:
            raise invalid(f"Missing required param: {name}.", code="parameter_missing", param=name)
        return value

    def optional_integer(self, name: str) -> int | None:
        """Read a whole number, when there is one."""
        value = self.text(name)
        if value is None:
            return None
        return _integer(value, name)

    def integer(self, name: str, *, required: bool) -> int:
        """Read a whole number; 0 when it is absent and not required."""
        value = self.required(name) if required else self.text(name)
        return 0 if value is None else _integer(value, name)

    def flag(self, name: str) -> bool:
        """Read true or false; absent is false."""
        value = self.text(name)
        if value not in (None, "true", "false"):
            raise invalid(f"Invalid boolean: {value}", code="parameter_invalid_empty", param=name)
        return value == "true"

    def one_of(self, name: str, allowed: Collection[str]) -> str | None:
        """Read a string out of a few."""
        value = self.text(name)
        if value is not None and value not in allowed:
            raise invalid(f"Invalid {name}: must be one of {', '.join(allowed)}", param=name)
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """Read a list of strings."""
        return tuple(str(value) for value in self._branch(name).values())

    def branch(self, name: str, known: Collection[str]) -> Tree:
        """Read a nested object whose parameters are known."""
        tree = self._branch(name)
        _refuse_unknown(tree, known, name)
        return tree

    def metadata(self) -> dict[str, str]:
        """Read the caller's own pairs: at most 50, keys of 40 characters, values of 500."""
        pairs: dict[str, str] = {}
        for key, value in self._branch("metadata").items():
            param = f"metadata[{key}]"
            if isinstance(value, dict) or len(value) > _VALUE_MAX:
                message = f"Metadata values must be strings of at most {_VALUE_MAX} characters."
                raise invalid(message, param=param)
            if len(key) > _KEY_MAX:
                message = f"Metadata keys can be at most {_KEY_MAX} characters."
                raise invalid(message, param=param)
            pairs[key] = value
        if len(pairs) > _METADATA_MAX:
            raise invalid(f"Metadata can have at most {_METADATA_MAX} keys.", param="metadata")
        return pairs

    def window(self) -> Window:
        """Read which part of a list is asked for."""
        limit = self.optional_integer("limit")
        if limit is not None and not 1 <= limit <= _LIMIT_MAX:
            message = f"This value must be between 1 and {_LIMIT_MAX} inclusive."
            raise invalid(message, code="parameter_invalid_integer", param="limit")
        since, until = self._created()
        after, before = self.text("starting_after"), self.text("ending_before")
        if after and before:
            message = "You cannot parameterize both starting_after and ending_before."
            raise invalid(message, param="starting_after")
        bounds = [bound for bound in (until, self._newest) if bound is not None]
        return Window(limit or _LIMIT, after, before, since, min(bounds, default=None))

    def _created(self) -> tuple[int | None, int | None]:
        value = self._tree.get("created")
        if value is None or isinstance(value, str):
            exact = self.optional_integer("created")
            return exact, exact
        bounds = self.branch("created", _BOUNDS)
        read = {name: _integer(str(text), f"created[{name}]") for name, text in bounds.items()}
        since = [read[name] + extra for name, extra in (("gte", 0), ("gt", 1)) if name in read]
        until = [read[name] - extra for name, extra in (("lte", 0), ("lt", 1)) if name in read]
        return max(since, default=None), min(until, default=None)

    def _branch(self, name: str) -> Tree:
        value = self._tree.get(name)
        if isinstance(value, str) and value:
            raise invalid(f"Invalid object: {name}", code="parameter_invalid_empty", param=name)
        return value if isinstance(value, dict) else {}


def _integer(value: str, name: str) -> int:
    if _INTEGER.fullmatch(value) is None:
        message = f"Invalid integer: {value}"
        raise invalid(message, code="parameter_invalid_integer", param=name)
    return int(value)


def _refuse_unknown(tree: Tree, known: Collection[str], parent: str | None = None) -> None:
    for name in tree:
        if name not in known:
            full = f"{parent}[{name}]" if parent else name
            message = f"Received unknown parameter: {full}"
            raise invalid(message, code="parameter_unknown", param=full)
