"""The 3-D Secure page that a buyer's browser is sent to."""

from html import escape
from urllib.parse import urlencode

from devstack.sandbox.stripe.bodies import client_secret
from devstack.sandbox.stripe.objects import Intent

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>{title}</title>
<style>body{{font:16px/1.5 system-ui;max-width:32rem;margin:4rem auto;padding:0 1rem}}</style>
<h1>{title}</h1>
{content}
</html>
"""
_CHALLENGE = """<p>{amount} {currency} (minor units), payment <code>{reference}</code></p>
<form method="post">
<button name="result" value="complete">Complete authentication</button>
<button name="result" value="fail">Fail authentication</button>
</form>"""


def document(title: str, content: str) -> str:
    """Make a page of content that is HTML already."""
    return _PAGE.format(title=title, content=content)


def challenge(intent: Intent) -> str:
    """Make the page with the two buttons."""
    content = _CHALLENGE.format(
        amount=intent.amount,
        currency=escape(intent.currency.upper()),
        reference=escape(intent.id),
    )
    return _PAGE.format(title="3D Secure test page", content=content)


def notice(text: str) -> str:
    """Make a page that says one thing."""
    return _PAGE.format(title="3D Secure test page", content=f"<p>{escape(text)}</p>")


def way_back(intent: Intent) -> str | None:
    """Tell where the browser goes next, as Stripe writes it; None without a return URL."""
    if not intent.return_url:
        return None
    paid = intent.status in ("succeeded", "requires_capture", "processing")
    query = urlencode(
        {
            "payment_intent": intent.id,
            "payment_intent_client_secret": client_secret(intent),
            "redirect_status": "succeeded" if paid else "failed",
        }
    )
    return f"{intent.return_url}{'&' if '?' in intent.return_url else '?'}{query}"
