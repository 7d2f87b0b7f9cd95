"""The mesh of an embedded stack: where everything listens, and its files below the state folder.

Services listen on unix sockets in a folder that only the stack's user enters; what others reach is
the sidecar, which asks for a certificate.
"""

import hashlib
import os
import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from devstack.envoy import envoy_recipe
from devstack.mesh.callers import read_callers
from devstack.mesh.certificates import Certificates
from devstack.mesh.identities import DEVELOPMENT, EDGE, OPERATORS, WORKLOADS
from devstack.mesh.operators import Operators
from devstack.mesh.sidecar import Peer, Sidecar, render
from devstack.mesh.tls import Identity, secret_files
from devstack.mesh.traces import OTLP_ENDPOINT, collector
from devstack.processes import Recipe
from devstack.services import SERVICES
from devstack.state import StackError, State

_PATH_BYTES_MAX = 107  # of a unix socket
_LONGEST_NAME = max(len(f"/{service.name}.admin.sock") for service in SERVICES)


class EmbeddedMesh:
    """The mesh of one stack."""

    def __init__(self, state: State, ports: Mapping[str, int], environment: str) -> None:
        self._state = state
        self._ports = ports
        self._in_development = environment == "development"
        self._sockets = socket_folder(state)
        self.certificates = Certificates(state.certificates)

    def prepare(self, now: datetime) -> None:
        """Make certificates and the files by which every Envoy finds its own."""
        make_private(self._sockets)
        self.certificates.init(now)
        for name in WORKLOADS:
            secrets = self.identity(name).secrets
            secrets.mkdir(parents=True, exist_ok=True)
            for file, content in secret_files(self.certificates.workload(name)).items():
                (secrets / file).write_text(content)

    def application(self, service: str) -> str:
        """Tell where a service itself listens."""
        return f"unix:{self._sockets}/{service}.sock"

    def target(self, caller: str, service: str) -> str:
        """Tell where `caller` reaches a service: at its own sidecar, which knows by the path."""
        return self.egress(caller)

    def egress(self, service: str) -> str:
        """Tell where a service calls others: at its sidecar."""
        return f"unix:{self._sockets}/{service}.out.sock"

    def admin(self, service: str) -> str:
        """Tell where the Envoy of a service is looked at."""
        return f"unix:{self._sockets}/{service}.admin.sock"

    def peer(self, service: str) -> Peer:
        """Tell where others come in to a service, and who it is."""
        return Peer(f"127.0.0.1:{self._ports[service]}", DEVELOPMENT.workload(service))

    def identity(self, workload: str) -> Identity:
        """Tell who a workload is, and where its certificate is found."""
        secrets = self._state.folder / "envoy" / "secrets" / workload
        return Identity(DEVELOPMENT.workload(workload), secrets)

    def sidecar(self, service: str) -> Recipe:
        """Write a sidecar's configuration and tell how to start it."""
        name = f"{service}.sidecar"
        described = Sidecar(
            service=service,
            identity=self.identity(service),
            ingress=self.peer(service).target,
            application=self.application(service),
            egress=self.egress(service),
            admin=self.admin(service),
            peers={
                other.name: self.peer(other.name) for other in SERVICES if other.name != service
            },
            access_log=str(self._state.log(f"{name}-access")),
            in_development=self._in_development,
            collector=collector(os.environ.get(OTLP_ENDPOINT, "")),
        )
        file = self._state.folder / "envoy" / f"{name}.yaml"
        file.write_text(render(described, read_callers(in_development=self._in_development)))
        return envoy_recipe(name, file)

    def describe(self) -> Mapping[str, str]:
        """Tell operators where they come in, and where their certificates are."""
        return {
            "target": f"127.0.0.1:{self._ports['operators']}",
            "certificates": str(self._state.certificates / "operators"),
        }

    def operators(self) -> Operators:
        """Tell what the operators' listener of the edge is made of."""
        return Operators(
            listen=self.describe()["target"],
            server=self.identity(EDGE),
            caller=self.identity(OPERATORS),
            services={service.name: self.peer(service.name) for service in SERVICES},
            access_log=str(self._state.log("operators-access")),
        )


def socket_folder(state: State) -> Path:
    """Name the folder of a stack's sockets: in its state, or where paths are shorter."""
    folder = state.folder / "run"
    if len(os.fsencode(folder)) + _LONGEST_NAME <= _PATH_BYTES_MAX:
        return folder
    place = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"paymesh-{os.getuid()}-{place}"


def make_private(folder: Path) -> None:
    """Make a folder that nobody else enters.

    Raises:
        StackError: there is something else of that name, or somebody else's.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    seen = folder.lstat()
    if folder.is_symlink() or seen.st_uid != os.getuid() or seen.st_mode & 0o077:
        raise StackError(f"{folder} is not ours alone: remove it")
