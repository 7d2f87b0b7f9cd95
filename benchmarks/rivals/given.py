"""Which rivals there are to be measured: whoever wants one measured tells where it is."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.rivals.bouts import Contender
from chassis.settings import Environment, SettingsError

PGLEDGER, FORMANCE, TIGERBEETLE = "PGLEDGER_SQL", "FORMANCE_LEDGER", "TIGERBEETLE"
_WHAT = {
    PGLEDGER: "pgledger's pgledger.sql",
    FORMANCE: "Formance's ledger program",
    TIGERBEETLE: "TigerBeetle's program",
}
NEEDED = "give at least one: " + ", ".join(f"{n}=<path of {w}>" for n, w in _WHAT.items())


@dataclass(frozen=True, slots=True)
class Given:
    """Where the rivals are; None: not given.

    Attributes:
        pgcrypto: control file and library of PostgreSQL's pgcrypto, which Formance needs; None:
            the server has it itself.
    """

    pgledger: Path | None = None
    formance: Path | None = None
    pgcrypto: tuple[Path, Path] | None = None
    tigerbeetle: Path | None = None

    def has(self, contender: Contender) -> bool:
        """Tell whether a contender can be measured; the ledger always can."""
        where: dict[Contender, object] = {
            Contender.PGLEDGER: self.pgledger,
            Contender.PGLEDGER_BARE: self.pgledger,
            Contender.FORMANCE: self.formance,
            Contender.FORMANCE_MINIMAL: self.formance,
            Contender.TIGERBEETLE: self.tigerbeetle,
        }
        return where.get(contender, True) is not None

    @property
    def missing(self) -> Sequence[str]:
        """Say for each rival that was not given that it was not run, and what would run it."""
        places = {PGLEDGER: self.pgledger, FORMANCE: self.formance, TIGERBEETLE: self.tigerbeetle}
        return [
            f"not run: {_WHAT[name]}, {name} is not set"
            for name, place in places.items()
            if place is None
        ]


def read(environment: Environment) -> Given:
    """Read where the rivals are.

    Raises:
        SettingsError: none is given, or one is not there.
    """
    pgledger = _file(environment, PGLEDGER)
    formance = _file(environment, FORMANCE, is_program=True)
    tigerbeetle = _file(environment, TIGERBEETLE, is_program=True)
    if not any((pgledger, formance, tigerbeetle)):
        raise SettingsError(f"no rival to be measured; {NEEDED}")
    control = _file(environment, "PGCRYPTO_CONTROL")
    library = _file(environment, "PGCRYPTO_LIBRARY")
    if (control is None) != (library is None):
        raise SettingsError("PGCRYPTO_CONTROL and PGCRYPTO_LIBRARY go together")
    pgcrypto = (control, library) if control and library else None
    return Given(pgledger, formance, pgcrypto, tigerbeetle)


def _file(environment: Environment, name: str, *, is_program: bool = False) -> Path | None:
    told = environment.text(name, "")
    if not told:
        return None
    path = Path(told).absolute()
    if not path.is_file():
        raise SettingsError(f"{name}={told}: there is no such file")
    if is_program and not os.access(path, os.X_OK):
        raise SettingsError(f"{name}={told} is not a program")
    return path
