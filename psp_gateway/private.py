"""What rests encrypted in the gateway's database; docs/reference/data-protection.md says why."""

from chassis.encryption import PrivateColumn

_CREDITOR = """
CASE WHEN creditor_iban <> '' THEN json_build_object('name', creditor_name,
    'iban', creditor_iban, 'bic', creditor_bic, 'remittance', remittance)::text END
"""
_FORGOTTEN = "creditor_name = '', creditor_iban = '', creditor_bic = '', remittance = ''"


def _of(table: str, key: str, name: str) -> PrivateColumn:
    encrypted, plain = f"{name}_encrypted", f"nullif({name}, '')"
    return PrivateColumn(table, key, encrypted, plain, f"{name} = ''")


REDIRECT_URL = _of("attempts", "attempt_id", "redirect_url")
BODY = _of("webhooks", "webhook_id", "body")
FILE = _of("bank_files", "message_id", "content")
CREDITOR = PrivateColumn("bank_orders", "attempt_id", "creditor_encrypted", _CREDITOR, _FORGOTTEN)

PRIVATE = (REDIRECT_URL, BODY, FILE, CREDITOR)
