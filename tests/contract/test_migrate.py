"""`paymesh migrate`, as a Job of a cluster runs it, against a real database."""

import psycopg
import pytest
from click.testing import CliRunner

from devstack.cli import main
from tests.servers import PostgresServer, free_port


def run(service: str, told: dict[str, str]) -> tuple[int, str]:
    """Run it with an environment."""
    shown = CliRunner().invoke(main, ["migrate", service], env=told)
    return shown.exit_code, shown.output


def test_an_empty_database_becomes_a_services_own(postgres: PostgresServer) -> None:
    """As its owner; what is there is left alone the second time; the app role may use it."""
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as admin:
        admin.execute("CREATE ROLE fresh_owner LOGIN")
        admin.execute("CREATE ROLE fresh_app LOGIN")
        admin.execute("CREATE DATABASE fresh OWNER fresh_owner")
    owner = postgres.url("fresh").replace("postgres@", "fresh_owner@", 1)
    told = {"OWNER_DATABASE_URL": owner, "APP_ROLE": "fresh_app"}

    for _ in range(2):
        assert run("risk_svc", told) == (0, "risk_svc: its schema is at the newest version\n")

    with psycopg.connect(owner.replace("fresh_owner", "fresh_app")) as app:
        assert app.execute("SELECT count(*) FROM assessments").fetchone() == (0,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute("DROP TABLE assessments")


def test_what_cannot_be_reached_is_told_in_one_line() -> None:
    """The Job fails and is run again; no password is told."""
    place = f"127.0.0.1:{free_port()}/nothing"
    url = f"postgresql://owner:unspeakable@{place}"  # pragma: allowlist secret
    status, output = run("risk_svc", {"OWNER_DATABASE_URL": url})

    assert status == 1
    assert output.startswith("Error: risk_svc was not migrated: ")
    assert output.count("\n") == 1
    assert "unspeakable" not in output


def test_without_a_url_it_says_what_is_missing() -> None:
    """By the name of the setting that the manifest gives."""
    status, output = run("risk_svc", {"OWNER_DATABASE_URL": ""})

    assert status == 2
    assert "OWNER_DATABASE_URL" in output
