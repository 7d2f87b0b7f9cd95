"""What rests encrypted in the edge's database; docs/reference/data-protection.md says why."""

from dataclasses import replace

from chassis.encryption import PrivateColumn
from edge_auth.former_seals import FormerSeals

SIGNING_SECRET = PrivateColumn(
    "signing_secrets", "secret_id", "value_encrypted", "sealed", "sealed = NULL"
)
PRIVATE = (SIGNING_SECRET,)


def unsealing(former: FormerSeals) -> tuple[PrivateColumn, ...]:
    """Tell what is private, and how `rewrap` opens what stands sealed in its place from before."""
    return (replace(SIGNING_SECRET, unseal=former.open),)
