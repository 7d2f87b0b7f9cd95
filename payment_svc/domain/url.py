"""The one reading of a URL that a client names."""

import re

LENGTH_MAX = 2000
DEFAULT_PORTS = {"https": 443, "http": 80}

# No user, no fragment, no character that two readers could take for different things. A host is a
# name, a number in dots or an address in brackets; a name beyond ASCII comes as punycode.
PATTERN = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[!$&-;=@-Z_a-z~%]*)?"
    r"(?P<query>\?[!$&-;=?@-Z_a-z~%]*)?",
    re.ASCII,
)


def match(text: str) -> "re.Match[str] | None":
    """Take a URL apart; None: it is none, or too long."""
    return PATTERN.fullmatch(text) if len(text) <= LENGTH_MAX else None
