"""The certificates of the mesh: what they say, who may read them, and how they change."""

import asyncio
import json
import os
import shutil
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID

from devstack.cli import main
from devstack.mesh.certificates import Certificates, system_user, utc_now
from devstack.mesh.identities import WORKLOADS, TrustDomain
from devstack.mesh.renewal import renewing
from devstack.state import StackError

NOW = datetime(2026, 1, 15, 10, 30, tzinfo=UTC)


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    """The certificates of a stack, just made."""
    made = Certificates(tmp_path / "certs")
    made.init(NOW)
    return made


def leaf(folder: Path) -> x509.Certificate:
    """Read the certificate of a folder."""
    return x509.load_pem_x509_certificate((folder / "tls.crt").read_bytes())


def test_everybody_has_one_and_the_system_user_too(certificates: Certificates) -> None:
    """Each workload, and whoever started the stack as an operator."""
    ids = {each.spiffe_id for each in certificates.list()}

    workloads = {f"spiffe://paymesh.local/ns/paymesh/sa/{name}" for name in WORKLOADS}
    assert ids == {*workloads, f"spiffe://paymesh.local/operator/{system_user()}"}


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_leaf_is_named_by_one_critical_spiffe_id(certificates: Certificates, name: str) -> None:
    """An empty subject, P-256, client and server, a day long, signed by the authority."""
    folder = certificates.workload(name)
    found = leaf(folder)

    assert found.subject == x509.Name([])
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    uris = names.value.get_values_for_type(x509.UniformResourceIdentifier)
    assert (names.critical, uris) == (True, [f"spiffe://paymesh.local/ns/paymesh/sa/{name}"])
    assert len(list(names.value)) == (4 if name == "edge" else 1)
    uses = set(found.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    assert uses == {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH}
    assert found.not_valid_after_utc - NOW == timedelta(hours=24)
    key = load_pem_private_key((folder / "tls.key").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert isinstance(key.curve, ec.SECP256R1)
    assert key.public_key() == found.public_key()
    found.verify_directly_issued_by(
        x509.load_pem_x509_certificate((folder / "ca.crt").read_bytes())
    )


def test_only_the_owner_reads_a_private_key(certificates: Certificates) -> None:
    """Keys are 0600, in folders that nobody else enters."""
    keys = [certificates.folder / "ca" / "ca.key"]
    for kind in ("services", "operators"):
        keys += (certificates.folder / kind).glob("*/*.key")

    assert len(keys) == len(WORKLOADS) + 2
    assert certificates.own.resolve() == certificates.operator(system_user())
    assert {stat.S_IMODE(key.stat().st_mode) for key in keys} == {0o600}
    assert stat.S_IMODE(certificates.folder.stat().st_mode) == 0o700


def test_a_pair_is_swapped_in_one_move(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until the link has moved who reads sees the old pair whole, and after it the new one."""
    folder = certificates.workload("edge")
    before, moves = (folder / "tls.crt").read_bytes(), []
    replace = Path.replace

    def watched(self: Path, target: Path) -> Path:
        moves.append((self.name, Path(target).name, (folder / "tls.crt").read_bytes()))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", watched)
    (renewed,) = certificates.rotate(["edge"], NOW + timedelta(hours=1))

    assert moves == [("..data.new", "..data", before)]
    assert os.readlink(folder / "tls.crt") == "..data/tls.crt"
    key = load_pem_private_key((folder / "tls.key").read_bytes(), None)
    assert leaf(folder).public_key() == key.public_key()
    assert f"{leaf(folder).serial_number:x}" == renewed.serial


def test_no_more_than_the_pair_before_is_kept(certificates: Certificates) -> None:
    """Rotation for years leaves two pairs, not thousands."""
    for hour in range(5):
        certificates.rotate(["edge"], NOW + timedelta(hours=hour))

    kept = [p for p in certificates.workload("edge").glob("..*") if not p.is_symlink()]
    assert len(kept) == 2


def test_init_renews_what_is_half_through_its_life_alone(certificates: Certificates) -> None:
    """Before that it does nothing; then workloads, after days operators as well."""
    assert certificates.init(NOW + timedelta(hours=11)) == []

    renewed = certificates.init(NOW + timedelta(hours=13))

    assert {each.name for each in renewed} == set(WORKLOADS)
    certificates.add_operator("ada", NOW)
    later = {each.name for each in certificates.init(NOW + timedelta(days=4))}
    assert later == {*WORKLOADS, "ada", system_user()}


async def test_a_running_stack_renews_them(tmp_path: Path) -> None:
    """Those that are half through their lives, while it runs."""
    kept = Certificates(tmp_path / "certs")
    kept.init(utc_now() - timedelta(hours=13))
    before = {each.serial for each in kept.list() if each.kind == "services"}

    renewal = asyncio.create_task(renewing(kept, every_s=0.01))
    async with asyncio.timeout(60):
        while before & {each.serial for each in kept.list()}:
            await asyncio.sleep(0.02)
    renewal.cancel()

    assert len(kept.list()) == len(WORKLOADS) + 1


def test_kubernetes_names_have_dashes() -> None:
    """Service accounts there may not hold an underscore."""
    there = TrustDomain("example.org", "payments", joint="-")

    assert there.workload("payment_svc") == "spiffe://example.org/ns/payments/sa/payment-svc"


def test_another_authority_issues_all_anew(certificates: Certificates) -> None:
    """Who lost its folder is not left with two halves that do not trust each other."""
    shutil.rmtree(certificates.folder / "ca")

    renewed = certificates.init(NOW)

    assert {each.name for each in renewed} == {*WORKLOADS, system_user()}
    roots = {(certificates.workload(name) / "ca.crt").read_bytes() for name in WORKLOADS}
    assert roots == {(certificates.folder / "ca" / "ca.crt").read_bytes()}


@pytest.mark.parametrize("name", ["", "../ada", "a b", "-ada", "a" * 64, "ädä", "payment_svc"])
def test_a_name_that_is_none_is_refused(certificates: Certificates, name: str) -> None:
    """No path, nothing that a SPIFFE id may not hold, no workload's."""
    with pytest.raises(StackError):
        certificates.add_operator(name, NOW)


def test_what_is_not_there_is_not_rotated(certificates: Certificates, tmp_path: Path) -> None:
    """The error says what there is."""
    with pytest.raises(StackError, match=r"there is no certificate of bob; there are: .*edge"):
        certificates.rotate(["bob"], NOW)
    with pytest.raises(StackError, match="paymesh certs init"):
        Certificates(tmp_path / "empty").rotate([], NOW)


def test_command_tells_what_it_made(tmp_path: Path) -> None:
    """`init`, `operator`, `rotate` and `show`, for people and as JSON."""

    def run(*arguments: str) -> str:
        shown = CliRunner().invoke(main, ["certs", *arguments, "--state", str(tmp_path)])
        assert shown.exit_code == 0, shown.output
        return shown.output

    assert "ca.crt" not in run("init")
    assert run("init") == "nothing is missing\n"
    assert "operators/ada: tls.crt" in run("operator", "ada")
    before = {each["name"]: each["serial"] for each in json.loads(run("show", "--json"))}
    run("rotate", "ada")
    after = {each["name"]: each["serial"] for each in json.loads(run("show", "--json"))}
    assert {name for name in after if after[name] != before[name]} == {"ada"}
    assert "spiffe://paymesh.local/operator/ada" in run("show")
