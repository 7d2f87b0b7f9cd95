"""What runs and ends: migrations, by the owners of the schemas, and the audit, on a schedule."""

from collections.abc import Sequence

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
AUDIT_DAILY = "audit-daily"
_WAIT_S = 1800
_KEPT_S = 3600  # ended jobs; then they are gone, and may be applied again
_HOURLY, _DAILY = "17 * * * *", "47 2 * * *"
_AUDITED = "25h"  # with an hour to spare, since a run may be left out
_WHOLE = "1970-01-01"
_DAILY_S = 6 * 3600
_AUDIT_TARGETS = (
    "PAYMENT_TARGET", "WALLET_TARGET", "LEDGER_TARGET", "PSP_TARGET", "EDGE_AUTH_TARGET",
)  # fmt: skip


def migrations() -> list[Json]:
    """Write a job for each schema. Only these know the owners' passwords; no mesh, no token."""
    return [account(MIGRATIONS, MIGRATION), *(_migration(service) for service in SERVICES)]


def audit(callers: Callers) -> list[Json]:
    """Write `paymesh audit`, as a caller of its own that may read and nothing else: every hour of
    what is new, so that it always ends within the hour; every day of all that there is.
    """
    configured = envoys.config_map(AUDIT, AUDIT, envoys.audit(callers), (AUDIT,))
    new = ("--since", _AUDITED, "--since-checkpoint")
    hourly = _audit_job(AUDIT, _HOURLY, new, _KEPT_S - 60, configured)
    daily = _audit_job(AUDIT_DAILY, _DAILY, ("--since", _WHOLE), _DAILY_S, configured)
    return [account(AUDIT, AUDIT), configured, hourly, daily]


def _audit_job(
    name: str, schedule: str, options: Sequence[str], deadline_s: int, configured: Json
) -> Json:
    command = ["paymesh", "audit", "--without-psp-record", "--json", *options]
    env = [{"name": name, "value": EGRESS} for name in _AUDIT_TARGETS]
    container = job_container(AUDIT, command, env)
    container["volumeMounts"].append({"name": "sockets", "mountPath": str(SOCKETS)})
    running = pod(AUDIT, containers=[container], grace_s=MARGIN_S)
    running |= {"restartPolicy": "Never", "initContainers": [sidecar(AUDIT)]}
    running["volumes"] += envoy_volumes(AUDIT, (AUDIT,))
    job = {
        "backoffLimit": 1,
        "activeDeadlineSeconds": deadline_s,
        "ttlSecondsAfterFinished": 24 * 3600,
        "template": template(AUDIT, AUDIT, running, configured),
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": metadata(name, AUDIT),
        "spec": {
            "schedule": schedule,
            "timeZone": "Etc/UTC",
            "concurrencyPolicy": "Forbid",
            "startingDeadlineSeconds": 1800,
            "successfulJobsHistoryLimit": 3,
            "failedJobsHistoryLimit": 10,
            "jobTemplate": {"metadata": {"labels": labels(AUDIT, AUDIT)}, "spec": job},
        },
    }


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
