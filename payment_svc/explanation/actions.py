"""What one can do about a payment, each with the command or call to do it with."""

from collections.abc import Sequence

from payment_svc.domain.payment import Payment
from payment_svc.domain.testimony import Notice
from payment_svc.explanation.story import Action, ActionKind
from payment_svc.ports import SagaView
from payment_svc.sagas.journey import Progress

# Who does the work of a step; a step that is not here is our own.
_WORKERS = {
    "assess": "risk_svc",
    "charge": "psp_gateway",
    "authorize": "psp_gateway",
    "hold": "psp_gateway",
    "capture": "psp_gateway",
    "void": "psp_gateway",
    "refund": "psp_gateway",
    "credit": "wallet_svc",
    "settle": "wallet_svc",
    "post": "ledger_svc",
    "book_charge": "ledger_svc",
    "give_back": "psp_gateway",
    "book_refund": "ledger_svc",
    "book_kept": "ledger_svc",
}

FINAL = Action(ActionKind.NONE, "Nothing: it is final.")
# A failed order frees its id.
PAY_AGAIN = Action(
    ActionKind.PAY_AGAIN,
    "The client may pay the same orders again, under a new Idempotency-Key.",
    "POST /v1/payments",
)


def worker_of(progress: Progress) -> str:
    """Name the service that does the work of the present step."""
    return _WORKERS.get(progress.step, "payment_svc")


def wait(payment: Payment) -> Action:
    """Let it go on by itself."""
    return Action(ActionKind.WAIT, "Wait: it goes on by itself.", _watch(payment))


def wait_for_evidence(payment: Payment) -> Action:
    """Let the PSP's own word end it."""
    return Action(
        ActionKind.WAIT,
        "Wait, and charge nothing anew: only the PSP's own word ends this.",
        _watch(payment),
    )


def _watch(payment: Payment) -> str:
    return f"paymesh explain {payment.payment_id} --watch"


def send_buyer(redirect_url: str | None) -> Action:
    """Send the buyer to where to act."""
    if not redirect_url:
        return Action(
            ActionKind.SEND_BUYER, "Have the PSP's own script in the page finish what it asks for."
        )
    return Action(ActionKind.SEND_BUYER, "Send the buyer to this page.", redirect_url)


def capture(payment: Payment) -> Action:
    """Take what is held."""
    return Action(
        ActionKind.CAPTURE,
        "The client may take all or a part of it; needs an Idempotency-Key.",
        f"POST /v1/payments/{payment.payment_id}/capture",
    )


def cancel(payment: Payment) -> Action:
    """Let go of what is held."""
    return Action(
        ActionKind.CANCEL,
        "The client may let go of it; needs an Idempotency-Key.",
        f"POST /v1/payments/{payment.payment_id}/cancel",
    )


def retry(view: SagaView) -> Action:
    """Let a saga go on."""
    return Action(
        ActionKind.RETRY,
        "Once the cause is gone, let the saga go on; what it would do is shown first.",
        f"paymesh dlq retry {view.progress.saga_id}",
    )


def resolve(view: SagaView, decisions: Sequence[str]) -> Action:
    """Say what became of a step that the saga cannot find out."""
    return Action(
        ActionKind.RESOLVE,
        f"Or let two persons say what became of it, with evidence: {', '.join(decisions)}.",
        f"paymesh dlq resolve {view.progress.saga_id}",
    )


def give_back(view: SagaView) -> Action:
    """Give back what the PSP took of another amount than was asked for."""
    return Action(
        ActionKind.RESOLVE,
        "Let two persons say how much the PSP took, with its reference: it is given back whole.",
        f"paymesh dlq resolve {view.progress.saga_id} OTHER_AMOUNT",
    )


def ask_psp(notice: Notice) -> Action:
    """Find out at the PSP itself what its event means: by an event alone nothing is changed."""
    what = notice.reference or notice.event_id
    return Action(
        ActionKind.INVESTIGATE,
        f"Look {what} up in {notice.psp}'s dashboard: nothing was changed by the event. If the PSP"
        " stands by it, put it right there by hand, and book in the ledger what differs.",
        "paymesh logs psp_gateway",
    )


def investigate(service: str) -> Action:
    """Look for the cause."""
    return Action(
        ActionKind.INVESTIGATE, f"Look for the cause in {service}.", f"paymesh logs {service}"
    )
