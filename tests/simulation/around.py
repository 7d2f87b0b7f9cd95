"""What planted mistakes are made of: something that stands in front of an honest part."""

from typing import Any


class Around:
    """Stands in front of something, and passes on what it does not change."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)
