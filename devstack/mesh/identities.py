"""SPIFFE ids: what a certificate calls its holder."""

import re
from dataclasses import dataclass

from devstack.services import SERVICES
from devstack.state import StackError

EDGE = "edge"
OPERATORS = "operators"  # the edge, when it passes on what an operator asks
AUDIT = "audit"  # `paymesh audit` on a schedule; it serves nobody
# Everybody who has a certificate as a part of the mesh.
WORKLOADS = (*(service.name for service in SERVICES), EDGE, OPERATORS, AUDIT)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", re.ASCII)


@dataclass(frozen=True, slots=True)
class TrustDomain:
    """Where names are unique, and the Kubernetes namespace that workloads are named in.

    `joint` stands for the underscore in a service's name: Kubernetes knows dashes alone.
    """

    name: str = "paymesh.local"
    namespace: str = "paymesh"
    joint: str = "_"

    @property
    def workloads(self) -> str:
        """What the id of every workload begins with."""
        return f"spiffe://{self.name}/ns/{self.namespace}/sa/"

    @property
    def operators(self) -> str:
        """What the id of every operator begins with."""
        return f"spiffe://{self.name}/operator/"

    def workload(self, account: str) -> str:
        """Name a workload by its service account."""
        return self.workloads + account.replace("_", self.joint)

    def operator(self, name: str) -> str:
        """Name an operator.

        Raises:
            StackError: the name is none of 1 to 63 letters, digits, dots, dashes, underscores.
        """
        if not _NAME.fullmatch(name):
            raise StackError(
                f"{name!r} is no operator's name: 1 to 63 letters, digits, '.', '-' and '_'"
            )
        return self.operators + name


DEVELOPMENT = TrustDomain()
