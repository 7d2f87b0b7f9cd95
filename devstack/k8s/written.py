"""YAML as it is committed: the order as given, texts of several lines as blocks."""

from collections.abc import Sequence
from typing import Any

import yaml

_WIDTH = 120


class _Dumper(yaml.SafeDumper):
    """Writes no aliases, and texts of several lines so that they can be read."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write everything where it is used."""
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def yaml_text(document: Any) -> str:
    """Write a document."""
    return str(yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=_WIDTH))


def documents(head: str, found: Sequence[Any]) -> str:
    """Write several, below a line that says what they are."""
    return f"# {head}\n" + "---\n".join(yaml_text(document) for document in found)
