"""What was done for objects, of an age that counts and of one that is in flight."""

from datetime import datetime, timedelta
from decimal import Decimal

from tests.unit.wallet_svc.builders import NOW
from wallet_svc.domain.comparison import SubjectSum

OLD, YOUNG = NOW - timedelta(seconds=60), NOW - timedelta(seconds=59)


def sums(*found: tuple[str, str], at: datetime = OLD) -> dict[str, SubjectSum]:
    """Make what was done for objects."""
    return {name: SubjectSum(Decimal(total), at, at) for name, total in found}
