"""Who acts as an operator."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody by name; `is_verified`: a certificate says so, and not only he himself."""

    name: str
    is_verified: bool = False

    def __str__(self) -> str:
        return self.name if self.is_verified else f"{self.name} (unverified)"
