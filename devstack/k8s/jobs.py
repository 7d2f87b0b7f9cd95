"""What runs and ends: migrations, by the owners of the schemas, and the audit, on a schedule."""

from devstack.k8s import envoys
from devstack.k8s.containers import (
    MARGIN_S,
    account,
    envoy_volumes,
    job_container,
    pod,
    sidecar,
)
from devstack.k8s.names import EGRESS, SOCKETS, Json, dns, labels, metadata
from devstack.k8s.told import secret_variable
from devstack.k8s.workloads import template
from devstack.mesh.callers import Callers
from devstack.mesh.identities import AUDIT
from devstack.services import SERVICES, Service

MIGRATIONS, MIGRATION = "migrations", "migration"
_WAIT_S = 1800
_KEPT_S = 3600  # ended jobs; then they are gone, and may be applied again
_AUDIT_AT = "17 * * * *"
_AUDITED = "25h"  # with an hour to spare, since a run may be left out
_AUDIT_TARGETS = (
    "PAYMENT_TARGET", "WALLET_TARGET", "LEDGER_TARGET", "PSP_TARGET", "EDGE_AUTH_TARGET",
)  # fmt: skip


def migrations() -> list[Json]:
    """Write a job for each schema. Only these know the owners' passwords; no mesh, no token."""
    return [account(MIGRATIONS, MIGRATION), *(_migration(service) for service in SERVICES)]


def audit(callers: Callers) -> list[Json]:
    """Write `paymesh audit` every hour, as a caller of its own that may read and nothing else."""
    configured = envoys.config_map(AUDIT, AUDIT, envoys.audit(callers), (AUDIT,))
    command = ["paymesh", "audit", "--without-psp-record", "--json", "--since", _AUDITED]
    env = [{"name": name, "value": EGRESS} for name in _AUDIT_TARGETS]
    container = job_container(AUDIT, command, env)
    container["volumeMounts"].append({"name": "sockets", "mountPath": str(SOCKETS)})
    running = pod(AUDIT, containers=[container], grace_s=MARGIN_S)
    running |= {"restartPolicy": "Never", "initContainers": [sidecar(AUDIT)]}
    running["volumes"] += envoy_volumes(AUDIT, (AUDIT,))
    job = {
        "backoffLimit": 1,
        "activeDeadlineSeconds": _KEPT_S - 60,
        "ttlSecondsAfterFinished": 24 * 3600,
        "template": template(AUDIT, AUDIT, running, configured),
    }
    scheduled = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": metadata(AUDIT, AUDIT),
        "spec": {
            "schedule": _AUDIT_AT,
            "timeZone": "Etc/UTC",
            "concurrencyPolicy": "Forbid",
            "startingDeadlineSeconds": 1800,
            "successfulJobsHistoryLimit": 3,
            "failedJobsHistoryLimit": 10,
            "jobTemplate": {"metadata": {"labels": labels(AUDIT, AUDIT)}, "spec": job},
        },
    }
    return [account(AUDIT, AUDIT), configured, scheduled]


def _migration(service: Service) -> Json:
    name = f"migrate-{dns(service.name)}"
    key = f"{service.context.upper()}_OWNER_DATABASE_URL"
    env = [
        secret_variable(MIGRATIONS, "OWNER_DATABASE_URL", key=key),
        {"name": "APP_ROLE", "value": f"{service.context}_app"},
    ]
    container = job_container("migrate", ["paymesh", "migrate", service.name], env)
    running = pod(MIGRATIONS, containers=[container], grace_s=MARGIN_S)
    running["restartPolicy"] = "Never"
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata(name, MIGRATION),
        "spec": {
            "backoffLimit": 6,
            "activeDeadlineSeconds": _WAIT_S,
            "ttlSecondsAfterFinished": _KEPT_S,
            "template": {"metadata": {"labels": labels(name, MIGRATION)}, "spec": running},
        },
    }
