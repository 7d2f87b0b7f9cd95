"""`paymesh migrate`: brings a service's schema to its newest version."""

import click

from devstack.services import SERVICES


@click.command()
@click.argument("service", type=click.Choice([service.name for service in SERVICES]))
@click.option(
    "--owner-url",
    envvar="OWNER_DATABASE_URL",
    required=True,
    show_envvar=True,
    help="postgresql://… of the role that owns the schema; better told by OWNER_DATABASE_URL.",
)
@click.option(
    "--app-role",
    envvar="APP_ROLE",
    help="The role that the service runs as; CONTEXT_app unless told by APP_ROLE.",
)
def migrate(*, service: str, owner_url: str, app_role: str | None) -> None:
    """Bring the schema of SERVICE to its newest version, as its owner.

    A running stack does it by itself when it starts; this is for databases of your own. What is
    there already is left alone, so that it may be run again.
    """
    from sqlalchemy.exc import SQLAlchemyError

    from chassis.database import upgrade
    from devstack.state import StackError

    (context,) = [one.context for one in SERVICES if one.name == service]
    try:
        upgrade(owner_url, service, app_role or f"{context}_app")
    except SQLAlchemyError as error:
        # The rest is the statement, and where SQLAlchemy explains itself.
        first = str(getattr(error, "orig", None) or error).partition("\n")[0]
        raise StackError(f"{service} was not migrated: {first}") from error
    click.echo(f"{service}: its schema is at the newest version")
