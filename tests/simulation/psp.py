"""A PSP with Stripe's manners, and its own record of what it did: the truth that checks read.

Objects move money once by their state; a key answers as the first time, also with an error, for as
long as it is kept; a PSP that is dark neither answers nor sends webhooks; it does not stop anybody
from refunding too much.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from tests.simulation.chance import Chance
from tests.simulation.clockwork import SimulatedLoop

KEYS_KEPT_S = 2 * 3600.0  # instead of a day, so that what goes wrong then costs hours, not days
HELD_FOR_S = 7 * 24 * 3600.0
DECLINED, CHALLENGED, GOOD = "any_declined", "any_challenged", "any_good"
BY_HAND = "by hand, instead of "  # before the id of the attempt that it replaces
_STALE_S = 60.0
DARK_FOR_LONG_S = 2.5 * 3600.0  # longer than keys are kept
_LATE_CHARGE_S = (200.0, 2 * 3600.0)  # long after a no

Fields = Mapping[str, Any]
Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """An answer on the wire."""

    status: int
    body: Object | None
    is_replay: bool = False


@dataclass(frozen=True, slots=True)
class Effect:
    """A line of the record: what was done, for which of our attempts, in minor units."""

    at: float
    kind: str
    attempt_id: str
    payment_id: str
    reference: str
    minor: int = 0


@dataclass(slots=True)
class _Kept:
    at: float
    asked: str
    told: Told


@dataclass(slots=True)
class Psp:
    """One PSP.

    Attributes:
        record: what it did, in order; nothing is ever taken out.
        send_webhook: called with each event that it tells.
        challenged: called with the reference of a charge that waits for its buyer.
        dark_until, limited_until: by the loop's time, until when it answers nobody, and until when
            it tells everybody to slow down.
        is_treacherous: whether it goes dark for long right after it moved money, once.
        spoilt: attempts of refunds that it did not make, and keeps an error of under their key.
    """

    name: str
    loop: SimulatedLoop
    chance: Chance
    send_webhook: Callable[[str, Object], None]
    challenged: Callable[[str, str], None]
    record: list[Effect] = field(default_factory=list)
    objects: dict[str, Object] = field(default_factory=dict)
    dark_until: float = 0.0
    limited_until: float = 0.0
    is_treacherous: bool = False
    spoilt: set[str] = field(default_factory=set)
    request_count: int = 0
    _keys: dict[str, _Kept] = field(default_factory=dict)
    _serial: "count[int]" = field(default_factory=lambda: count(1))

    @property
    def is_dark(self) -> bool:
        """Whether it answers nobody."""
        return self.dark_until > self.loop.time()

    def post(self, path: str, fields: Fields, key: str) -> Told:
        """Do what is asked, once under a key as long as the key is kept."""
        self.request_count += 1
        if self.is_dark:
            return _error(503, "api_error")
        if self.limited_until > self.loop.time():
            self.chance.struck("psp_limited")
            return _error(429, "rate_limit_error")
        if self.chance.strikes_now("psp_limited"):
            return _error(429, "rate_limit_error")
        asked, kept = f"{path} {fields!r}", self._keys.get(key)
        if kept is not None and self.loop.time() - kept.at < KEYS_KEPT_S:
            if kept.asked != asked:
                return _error(400, "idempotency_error")
            return Told(kept.told.status, kept.told.body, is_replay=True)
        told = self._carry_out(path, fields)
        self._keys[key] = _Kept(self.loop.time(), asked, told)
        return told

    def get(self, path: str, fields: Fields) -> Told:
        """Read; what is newest may not be known yet."""
        self.request_count += 1
        if self.is_dark:
            return _error(503, "api_error")
        kind, _, reference = path.lstrip("/").partition("/")
        if reference:
            return Told(200, dict(self.objects[reference]))
        is_stale = self.chance.strikes_now("psp_stale")
        until = self.loop.time() - (_STALE_S if is_stale else 0.0)
        wanted = "refund" if kind == "refunds" else "payment_intent"
        charge = fields.get("payment_intent")
        found = [
            dict(one)
            for one in self.objects.values()
            if one["object"] == wanted
            and one["created"] <= until
            and (charge is None or one.get("payment_intent") == charge)
        ]
        return Told(200, {"data": found[::-1], "has_more": False})

    def authenticate(self, reference: str) -> None:
        """Let the buyer pass the challenge, if it still waits for him."""
        intent = self.objects[reference]
        if intent["status"] == "requires_action":
            self._take(intent)

    def _carry_out(self, path: str, fields: Fields) -> Told:
        is_refund = path == "/refunds"
        if self.chance.strikes_now("psp_refund_spoilt" if is_refund else "psp_error_before"):
            if is_refund:
                self.spoilt.add(fields["metadata"]["attempt_id"])
            return _error(500, "api_error")
        told = self._do(path.strip("/").split("/"), fields)
        if told.status == 200 and self.chance.strikes_now("psp_error_after"):
            return _error(500, "api_error")
        return told

    def _do(self, path: list[str], fields: Fields) -> Told:
        match path:
            case ["payment_intents"]:
                return self._create(fields)
            case ["payment_intents", reference, "confirm"]:
                return self._confirm(self.objects[reference])
            case ["payment_intents", reference, "capture"]:
                return self._capture(self.objects[reference], fields["amount_to_capture"])
            case ["payment_intents", reference, "cancel"]:
                return self._cancel(self.objects[reference])
            case ["refunds"]:
                return self._refund(self.objects[fields["payment_intent"]], fields)
        raise AssertionError(path)

    def _create(self, fields: Fields) -> Told:
        intent = {
            "object": "payment_intent",
            "id": f"pi_{self.name}{next(self._serial)}",
            "status": "requires_confirmation",
            "created": self.loop.time(),
            "amount": fields["amount"],
            "currency": fields["currency"],
            "metadata": fields["metadata"],
            "token": fields["payment_method"],
            "is_held": fields["capture_method"] == "manual",
        }
        self.objects[intent["id"]] = intent
        return Told(200, dict(intent))

    def _confirm(self, intent: Object) -> Told:
        if intent["status"] != "requires_confirmation":
            return _unexpected(intent)
        if intent["token"] == DECLINED:
            error = {"type": "card_error", "code": "card_declined", "decline_code": "generic"}
            intent["status"], intent["last_payment_error"] = "requires_payment_method", error
            self._did("declined", intent)
            if self.chance.strikes_now("psp_late_charge"):
                self.loop.later(self.chance.between(*_LATE_CHARGE_S), self._charge_late, intent)
            return Told(402, {"error": {**error, "payment_intent": dict(intent)}})
        if intent["token"] == CHALLENGED:
            redirect = {"url": f"https://psp.example/{intent['id']}"}
            intent["status"], intent["next_action"] = (
                "requires_action",
                {"redirect_to_url": redirect},
            )
            self._tell("payment_intent.requires_action", intent)
            self.challenged(self.name, intent["id"])
        else:
            self._take(intent)
        return Told(200, dict(intent))

    def _take(self, intent: Object) -> None:
        """Charge, or hold."""
        if self.chance.strikes_now("psp_other_amount"):
            intent["amount"] += self.chance.one_of((-1, 1))
        if intent["is_held"]:
            intent["status"], intent["amount_capturable"] = "requires_capture", intent["amount"]
            self.loop.later(HELD_FOR_S, self._let_go, intent)
            self._did("held", intent)
            self._tell("payment_intent.amount_capturable_updated", intent)
        else:
            intent["status"], intent["amount_received"] = "succeeded", intent["amount"]
            self._did("charged", intent)
            self._tell("payment_intent.succeeded", intent)
        self._go_dark_at_once()

    def _charge_late(self, intent: Object) -> None:
        """Charge, or hold, what was declined."""
        if intent["status"] == "requires_payment_method":
            del intent["last_payment_error"]
            self._take(intent)

    def _capture(self, intent: Object, minor: int) -> Told:
        if intent["status"] != "requires_capture":
            return _unexpected(intent)
        if self.chance.strikes_now("psp_other_amount"):
            minor -= 1
        intent["status"], intent["amount_received"] = "succeeded", minor
        self._did("captured", intent, minor)
        self._tell("payment_intent.succeeded", intent)
        self._go_dark_at_once()
        return Told(200, dict(intent))

    def _cancel(self, intent: Object) -> Told:
        if intent["status"] in ("succeeded", "canceled"):
            return _unexpected(intent)
        held = intent["status"] == "requires_capture"
        intent["status"] = "canceled"
        self._did("voided" if held else "canceled", intent)
        self._tell("payment_intent.canceled", intent)
        return Told(200, dict(intent))

    def _let_go(self, intent: Object) -> None:
        if intent["status"] == "requires_capture":
            intent["status"], intent["cancellation_reason"] = "canceled", "expired"
            self._did("expired", intent)

    def _refund(self, intent: Object, fields: Fields) -> Told:
        refund = {
            "object": "refund",
            "id": f"re_{self.name}{next(self._serial)}",
            "status": "succeeded",
            "created": self.loop.time(),
            "payment_intent": intent["id"],
            "amount": fields["amount"],
            "currency": intent["currency"],
            "metadata": fields["metadata"],
        }
        self.objects[refund["id"]] = refund
        self._did("refunded", refund)
        self._tell("refund.created", refund)
        self._go_dark_at_once()
        return Told(200, dict(refund))

    def done_for(self, attempt_id: str) -> Sequence[Object]:
        """Show what it has of an attempt, as its dashboard does."""
        return [one for one in self.objects.values() if one["metadata"]["attempt_id"] == attempt_id]

    def given_back(self, attempt_id: str) -> bool:
        """Whether it gave back for an attempt, by itself or by hand."""
        return bool(self.done_for(attempt_id) or self.done_for(f"{BY_HAND}{attempt_id}"))

    def refund_by_hand(self, intent: Object, attempt_id: str) -> str:
        """Give back by its dashboard what was taken, which writes no attempt of ours onto it; once.
        Answer the refund's id.
        """
        metadata = {**intent["metadata"], "attempt_id": f"{BY_HAND}{attempt_id}"}
        if not self.done_for(metadata["attempt_id"]):
            self._refund(intent, {"amount": intent["amount_received"], "metadata": metadata})
        return str(self.done_for(metadata["attempt_id"])[0]["id"])

    def _go_dark_at_once(self) -> None:
        """If so armed: after money moved, before anybody hears of it, for longer than keys last."""
        if self.is_treacherous and self.chance.is_faulty and self.chance.happens(0.2):
            self.is_treacherous = False
            self.chance.struck("psp_dark_at_once")
            self.dark_until = self.loop.time() + DARK_FOR_LONG_S

    def _did(self, kind: str, found: Object, minor: int | None = None) -> None:
        metadata = found["metadata"]
        effect = Effect(
            self.loop.time(),
            kind,
            metadata["attempt_id"],
            metadata["payment_id"],
            found.get("payment_intent", found["id"]),
            found["amount"] if minor is None else minor,
        )
        self.record.append(effect)
        self.chance.note(
            f"{self.name} {kind} {effect.reference} {effect.minor} for {effect.attempt_id}"
        )

    def _tell(self, kind: str, found: Object) -> None:
        told = {"id": found["id"], "object": found["object"], "metadata": found["metadata"]}
        if "payment_intent" in found:
            told["payment_intent"] = found["payment_intent"]
        event = {
            "id": f"evt_{self.name}{next(self._serial)}",
            "type": kind,
            "data": {"object": told},
        }
        self.send_webhook(self.name, event)


def _error(status: int, kind: str, code: str = "") -> Told:
    return Told(status, {"error": {"type": kind, "code": code}})


def _unexpected(intent: Object) -> Told:
    body = {
        "type": "invalid_request_error",
        "code": "payment_intent_unexpected_state",
        "payment_intent": dict(intent),
    }
    return Told(400, {"error": body})
