"""Envoy's RBAC policies of a sidecar, made of the table of callers: what they do not allow is
refused.
"""

from collections.abc import Sequence
from typing import Any

from devstack.mesh.callers import ALL, Row
from devstack.mesh.identities import TrustDomain

Json = dict[str, Any]


def policies(rows: Sequence[Row], domain: TrustDomain) -> Json:
    """Write a policy per caller, named after him; who may call nothing has none."""
    callers = sorted({caller for row in rows for caller in row.callers})
    return {
        "anybody" if caller == ALL else caller: {
            "permissions": [_permission(row) for row in rows if caller in row.callers],
            "principals": [{"authenticated": {"principal_name": _holder(caller, domain)}}],
        }
        for caller in callers
    }


def _permission(row: Row) -> Json:
    kind = "prefix" if row.method == ALL else "exact"
    return {"url_path": {"path": {kind: row.path}}}


def _holder(caller: str, domain: TrustDomain) -> Json:
    """Match the SPIFFE id of a caller's certificate."""
    if caller == ALL:
        return {"prefix": domain.workloads}
    return {"exact": domain.workload(caller)}
