"""How templates name what they post: `<object>:<id>:<event>`, so that no two events share a name.

The ids are the platform's own; a PSP's ids are told apart by the PSP's name before them.
"""

import re

from ledger_svc.domain.templates.template import FactsDiffer

_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)
_SCOPES = {"pay_": "payment", "ord_": "order"}


def of_charge(scope: str, event: str) -> str:
    """Name an event of a charge; `scope` is the id of what it covers, a payment's or an order's.

    Raises:
        FactsDiffer: the id is of neither.
    """
    if scope[:4] not in _SCOPES:
        raise FactsDiffer("scope", "is no id of a payment (pay_…) or an order (ord_…)")
    return named(_SCOPES[scope[:4]], "scope", scope, event)


def named(kind: str, field: str, object_id: str, event: str) -> str:
    """Name an event of an object; `field` is the fact that holds its id.

    Raises:
        FactsDiffer: the id has other characters than letters, digits, dots, underscores, hyphens.
    """
    if not _ID.fullmatch(object_id):
        raise FactsDiffer(field, "is no id: 1 to 64 letters, digits, dots, underscores, hyphens")
    return f"{kind}:{object_id}:{event}"
