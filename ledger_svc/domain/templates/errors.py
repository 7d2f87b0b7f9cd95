"""How a template says no to facts that do not go together."""

from ledger_svc.domain.errors import Refusal


class TemplateMismatch(Refusal):
    """The facts do not go with their template; `field` is their path in it."""

    reason = "TEMPLATE_MISMATCH"

    def __init__(self, template: str, field: str, why: str) -> None:
        super().__init__(f"{template}: {field} {why}.", template=template, field=field)
