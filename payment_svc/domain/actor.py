"""Who acts as an operator."""

from dataclasses import dataclass

from payment_svc.domain.errors import UnverifiedOperator


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody by name; `is_verified`: a certificate says so, and not only he himself."""

    name: str
    is_verified: bool = False

    def __str__(self) -> str:
        return self.name if self.is_verified else f"{self.name} (unverified)"

    def require_verified(self) -> None:
        """Take a certificate's word alone.

        Raises:
            UnverifiedOperator: there is none; two names may then be one person.
        """
        if not self.is_verified:
            raise UnverifiedOperator(self.name)
