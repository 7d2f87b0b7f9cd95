"""The certificates of an embedded stack: made, made anew, told; below `certs/` of its state."""

import fcntl
import getpass
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509

from devstack.mesh import secret_folder
from devstack.mesh.authority import Authority, Leaf, new_authority, read_authority
from devstack.mesh.identities import DEVELOPMENT, EDGE, WORKLOADS
from devstack.state import StackError

_WORKLOAD_LIFETIME = timedelta(hours=24)
_OPERATOR_LIFETIME = timedelta(days=7)
# By what grpcurl and the like know the operators' listener.
_HOSTS = {EDGE: ("localhost", "127.0.0.1", "::1")}


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate that is there."""

    kind: str  # services or operators
    name: str
    spiffe_id: str
    serial: str
    not_before: datetime
    not_after: datetime

    def is_due(self, now: datetime) -> bool:
        """Tell whether half of its life is over: time to make it anew."""
        return now - self.not_before > (self.not_after - self.not_before) / 2


class Certificates:
    """The folder of certificates; each changes in one move, under the eyes of who uses it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def own(self) -> Path:
        """Where the system user finds his own certificate, whatever his name."""
        return self.folder / "me"

    def workload(self, name: str) -> Path:
        """Name the folder of a workload's certificate."""
        return self.folder / "services" / name

    def operator(self, name: str) -> Path:
        """Name the folder of an operator's certificate.

        Raises:
            StackError: it is no name.
        """
        DEVELOPMENT.operator(name)
        return self.folder / "operators" / name

    def init(self, now: datetime) -> Sequence[Issued]:
        """Make the authority, every workload's certificate and the system user's as an operator,
        as far as they are missing or half of their life is over; answer those that were made.
        """
        with self._authority(now) as authority:
            known = {(each.kind, each.name): each for each in self.list()}
            wanted = [("services", name) for name in WORKLOADS] + [("operators", system_user())]
            wanted += [which for which in known if which[0] == "operators"]
            for kind, name in dict.fromkeys(wanted):
                there = known.get((kind, name))
                if there is None or there.is_due(now) or not self._is_of(authority, kind, name):
                    self._issue(authority, kind, name, now)
            if not self.own.is_symlink():
                self.own.symlink_to(f"operators/{system_user()}")
            return [each for each in self.list() if known.get((each.kind, each.name)) != each]

    def rotate(self, names: Sequence[str], now: datetime) -> Sequence[Issued]:
        """Make certificates anew, all that are there unless `names` says which.

        Raises:
            StackError: there is none of that name, or none at all.
        """
        known = {each.name: each for each in self.list()}
        if not known:
            raise StackError("there are no certificates; `paymesh certs init` makes them")
        for name in names:
            if name not in known:
                raise StackError(
                    f"there is no certificate of {name}; there are: {', '.join(known)}"
                )
        with self._authority(now) as authority:
            for name in names or known:
                self._issue(authority, known[name].kind, name, now)
        return [each for each in self.list() if each.name in (names or known)]

    def add_operator(self, name: str, now: datetime) -> Path:
        """Make an operator's certificate; answer its folder.

        Raises:
            StackError: it is no name, or a workload's.
        """
        folder = self.operator(name)
        if name in WORKLOADS:
            raise StackError(f"{name} is a part of the mesh, and no person")
        with self._authority(now) as authority:
            self._issue(authority, "operators", name, now)
        return folder

    def list(self) -> Sequence[Issued]:
        """List the certificates that are there."""
        kinds = (self.folder / "operators", self.folder / "services")
        found = (file for kind in kinds for file in kind.glob(f"*/{secret_folder.CERTIFICATE}"))
        return [_read(file) for file in sorted(found)]

    def _issue(self, authority: Authority, kind: str, name: str, now: datetime) -> None:
        is_person = kind == "operators"
        leaf = authority.issue(
            DEVELOPMENT.operator(name) if is_person else DEVELOPMENT.workload(name),
            now=now,
            lifetime=_OPERATOR_LIFETIME if is_person else _WORKLOAD_LIFETIME,
            hosts=() if is_person else _HOSTS.get(name, ()),
        )
        secret_folder.write(self.folder / kind / name, leaf, authority.pem().certificate)

    def _is_of(self, authority: Authority, kind: str, name: str) -> bool:
        """Tell whether a certificate is this authority's, and not of one that was here before."""
        roots = self.folder / kind / name / secret_folder.ROOTS
        return roots.read_bytes() == authority.pem().certificate

    @contextmanager
    def _authority(self, now: datetime) -> Iterator[Authority]:
        """Open the authority, the first time make it; nobody else writes meanwhile."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self.folder / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            certificate, key = self.folder / "ca" / "ca.crt", self.folder / "ca" / "ca.key"
            if not certificate.exists():
                certificate.parent.mkdir(mode=0o700, exist_ok=True)
                made = new_authority(now).pem()
                secret_folder.write_private_bytes(key, made.key)
                secret_folder.write_private_bytes(certificate, made.certificate)  # last: it counts
            try:
                yield read_authority(Leaf(certificate.read_bytes(), key.read_bytes()))
            except (TypeError, ValueError) as error:
                raise StackError(f"{certificate.parent} cannot be read: {error}") from error


def system_user() -> str:
    """Name who uses this machine, as an operator."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in some containers
        return "operator"


def utc_now() -> datetime:
    """Tell the time, in UTC."""
    return datetime.now(UTC)


def _read(file: Path) -> Issued:
    certificate = x509.load_pem_x509_certificate(file.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    (spiffe_id,) = names.get_values_for_type(x509.UniformResourceIdentifier)
    return Issued(
        kind=file.parent.parent.name,
        name=file.parent.name,
        spiffe_id=spiffe_id,
        serial=f"{certificate.serial_number:x}",
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
    )
