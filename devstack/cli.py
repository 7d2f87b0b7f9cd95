"""The `paymesh` command. A line of the table registers a subcommand."""

from importlib import import_module
from typing import Any

import click

from devstack.state import StackError

# Imported when asked for, so that each answers as fast as it can.
_COMMANDS = {
    "up": "devstack.updown:up",
    "down": "devstack.updown:down",
    "status": "devstack.updown:status",
    "logs": "devstack.inspection:logs",
    "psql": "devstack.inspection:psql",
    "demo": "devstack.demo:demo",
    "pay": "devstack.explain:pay",
    "explain": "devstack.explain:explain",
    "webhooks": "devstack.webhooks:webhooks",
    "ledger": "devstack.ledger:ledger",
    "dlq": "devstack.dlq:dlq",
    "client": "devstack.client:client",
    "audit": "devstack.audit.command:audit",
    "audit-log": "devstack.audit_log.command:audit_log",
    "keys": "devstack.keys:keys",
    "certs": "devstack.mesh.command:certs",
    "migrate": "devstack.migrate:migrate",
}


class Commands(click.Group):
    """Subcommands whose failures are one clear line and exit code 1."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List them in the order of the table."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one."""
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name].partition(":")
        command = getattr(import_module(module), name)
        return command if isinstance(command, click.Command) else None

    def invoke(self, ctx: click.Context) -> Any:
        """Run a subcommand."""
        try:
            return super().invoke(ctx)
        except StackError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=Commands)
@click.version_option(package_name="paymesh")
def main() -> None:
    """Run paymesh on this machine: every service, PostgreSQL, Redis, Envoy and a PSP sandbox."""
