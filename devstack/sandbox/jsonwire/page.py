"""The pages that a buyer's browser is sent to."""

from collections.abc import Mapping
from html import escape
from urllib.parse import urlencode

from aiohttp import web

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>{title}</title>
<style>body{{font:16px/1.5 system-ui;max-width:32rem;margin:4rem auto;padding:0 1rem}}</style>
<h1>{title}</h1>
<p>{text}</p>
{form}
</html>
"""
_BUTTON = '<button name="result" value="{value}">{label}</button>'


def page(
    title: str, text: str, buttons: Mapping[str, str] | None = None, status: int = 200
) -> web.Response:
    """Make a page that says one thing, and has a form with a button for each result."""
    inner = "\n".join(
        _BUTTON.format(value=escape(value), label=escape(label))
        for value, label in (buttons or {}).items()
    )
    form = f'<form method="post">\n{inner}\n</form>' if buttons else ""
    html = _PAGE.format(title=escape(title), text=escape(text), form=form)
    return web.Response(text=html, status=status, content_type="text/html")


def way_back(url: str, query: Mapping[str, str]) -> web.Response:
    """Send the browser back to the shop, with more in the query."""
    location = f"{url}{'&' if '?' in url else '?'}{urlencode(query)}"
    return web.Response(status=303, headers={"Location": location})
