"""The data keys of a service, wrapped, in its table `data_keys`: learned, made, and changed.

No row of it is deleted: whoever slept may still write under an old one. A key ends when nothing is
under its data keys any more, and the key-encryption key that wrapped them is thrown away.
"""

import json
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from chassis.encryption import HEADER, VERSION, Keyring, LocalKeys, PrivateColumn, Undecipherable
from chassis.server import Job, repeat
from chassis.settings import Environment

if TYPE_CHECKING:
    from chassis.database import Database, Transaction

_LEARN_EVERY_S = 10.0
_TIMEOUT_S = 600.0  # to count all values
_ALL = """
SELECT number, wrapped_by, wrapped, created_at <= now() - interval '7 days' AS is_old
FROM data_keys ORDER BY number
"""
# Of several who make the next one at once one does; the others read his.
_ADD = """
INSERT INTO data_keys (number, wrapped_by, wrapped) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING
"""
_REWRAP = "UPDATE data_keys SET wrapped_by = %s, wrapped = %s WHERE number = %s RETURNING 1"
Tell = Callable[[Mapping[str, Any]], None]


async def learn(database: "Database", *, rotates: bool = False) -> bool:
    """Learn the data keys that are new; make one when there is none, the newest is old, or it
    `rotates`. Instances learn of it within ten seconds, or when they meet it. Answers False.
    Raises Undecipherable when one cannot be unwrapped.
    """
    keyring, found = database.keyring, await database.read(_ALL)
    if rotates or not found or found[-1]["is_old"]:
        number, key = found[-1]["number"] + 1 if found else 1, AESGCM.generate_key(256)
        made = [number, *await keyring.keys.wrap(key, _purpose(keyring, number))]
        await database.run(lambda tx: tx.execute(_ADD, made), alone=True)
        found = await database.read(_ALL)
    for row in (one for one in found if one["number"] not in keyring.ciphers):
        keyring.learn(row["number"], await _unwrapped(keyring, row))
    return False


def learning(database: "Database") -> Job:
    """Make the job that learns what other instances and operators have made."""
    return partial(repeat, "data_keys", partial(learn, database), pause_s=_LEARN_EVERY_S)


async def rewrap(
    database: "Database", columns: Sequence[PrivateColumn], tell: Tell, *, batch: int = 500
) -> None:
    """Wrap all data keys by the newest key-encryption key; then encrypt by the newest data key what
    is under another one, or in the plain, `batch` rows at a time; tell after each how far it is.

    It may be killed and begun again. Whoever writes a value meanwhile wins; what was tampered with
    stays. Raises Unavailable when the database does not answer.
    """
    keyring, newest = database.keyring, await database.keyring.keys.newest()
    for row in await database.read(_ALL):
        if row["wrapped_by"] != newest:
            key = await _unwrapped(keyring, row)
            fresh = await keyring.keys.wrap(key, _purpose(keyring, row["number"]))
            await database.read(_REWRAP, [*fresh, row["number"]])
    for where in columns:
        last, looked_at, changed = "", 0, 0
        about = {"service": keyring.service, "column": f"{where.table}.{where.column}"}
        while found := await database.run(partial(_renew, where, last, batch)):
            last, looked_at, changed = found[0], looked_at + found[1], changed + found[2]
            tell({**about, "rows": looked_at, "changed": changed})


async def status(database: "Database", columns: Sequence[PrivateColumn]) -> dict[str, Any]:
    """Count values by their data key, and those in the plain; it reads all tables. `left` is what
    `rewrap` has to do. Raises Unavailable when the database does not answer.
    """
    counts, plain = Counter[int](), 0
    for where in columns:
        query = (
            f"SELECT substring({where.column} FROM 1 FOR {HEADER.size}) AS header,"
            f" count({where.column}) AS kept, count({where.plain}) AS plain"
            f" FROM {where.table} GROUP BY 1"
        )
        for row in await database.read(query):
            plain += row["plain"]
            if row["header"] is not None:
                counts[HEADER.unpack(row["header"])[1]] += row["kept"]
    keys = [
        {"number": r["number"], "wrapped_by": r["wrapped_by"], "values": counts[r["number"]]}
        for r in await database.read(_ALL)
    ]
    told = {"newest_key": await database.keyring.keys.newest(), "data_keys": keys, "plain": plain}
    left = plain + counts.total() - counts[keys[-1]["number"]]
    return {"service": database.keyring.service, **told, "left": left}


async def run(service: str, columns: Sequence[PrivateColumn], url_setting: str) -> None:
    """Run `status`, `rotate` or `rewrap` on a service's database, by its own settings; print lines
    of JSON. It takes the owner's URL: the service's role may not rewrite all that this does.
    """
    from chassis.database import Database

    if sys.argv[1:] not in (["status"], ["rotate"], ["rewrap"]):
        sys.exit("usage: status | rotate | rewrap")
    environment = Environment()
    is_production = environment.choice("ENVIRONMENT", ("production", "development")) == "production"
    keyring = Keyring(service, LocalKeys.configured(environment, is_production=is_production))
    url = environment.text(url_setting)
    database = Database(url, connections=2, timeout_s=_TIMEOUT_S, keyring=keyring)
    await database.open()
    try:
        await learn(database, rotates=sys.argv[1] == "rotate")
        if sys.argv[1] == "rewrap":
            await rewrap(database, columns, _tell)
        _tell(await status(database, columns))
    finally:
        await database.close()


def _tell(line: Mapping[str, Any]) -> None:
    print(json.dumps(line), flush=True)  # noqa: T201 - what the command is for


async def _unwrapped(keyring: Keyring, row: Mapping[str, Any]) -> bytes:
    name, wrapped = row["wrapped_by"], bytes(row["wrapped"])
    return await keyring.keys.unwrap(name, wrapped, _purpose(keyring, row["number"]))


def _purpose(keyring: Keyring, number: int) -> str:
    return f"data key {number} of {keyring.service}"


async def _renew(
    where: PrivateColumn, last: str, batch: int, tx: "Transaction"
) -> tuple[str, int, int] | None:
    """Renew the next rows; tell the last one's key, how many they are, and how many were changed.
    A look at their keys comes first: however few of them need work, each statement is short.
    """
    ((count, until),) = await tx.tuples(
        f"SELECT count(*), max(key) FROM (SELECT {where.key} AS key FROM {where.table}"
        f" WHERE {where.key} > %s ORDER BY {where.key} LIMIT %s) AS rows",
        [last, batch],
    )
    if not count:
        return None
    # Locked first, so that nothing that is written meanwhile is written over.
    found = await tx.tuples(
        f"SELECT {where.key}, {where.column}, {where.plain} FROM {where.table}"
        f" WHERE {where.key} > %s AND {where.key} <= %s AND"
        f" ({where.plain} IS NOT NULL OR substring({where.column} FROM 1 FOR {HEADER.size}) <> %s)"
        f" ORDER BY {where.key} FOR UPDATE",
        [last, until, HEADER.pack(VERSION, tx.keyring.newest)],
    )
    fresh = []
    for key, kept, plain in found:
        with suppress(Undecipherable):
            decrypt = tx.keyring.decrypt
            value = where.unseal(key, plain) if kept is None else decrypt(where, key, kept)
            fresh.append((key, tx.keyring.encrypt(where, key, value)))
    changed = await tx.execute(
        f"UPDATE {where.table} AS t SET {where.column} = u.fresh, {where.cleared}"
        f" FROM unnest(%b::text[], %b::bytea[]) AS u (key, fresh) WHERE t.{where.key} = u.key",
        [[key for key, _ in fresh], [value for _, value in fresh]],
    )
    return until, count, changed
