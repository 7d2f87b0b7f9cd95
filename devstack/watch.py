"""`paymesh explain --watch`: a payment's story as it goes on."""

import asyncio
from collections.abc import Mapping
from typing import Any

import grpc
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from devstack.show import actions, headline, outlook, timeline
from devstack.trail import Operator

_LOOK_EVERY_S = 0.5
_ROWS_BESIDE = 18  # what headline, outlook and empty lines take of the screen
_ROWS_MIN = 5
# payment_svc may be away for a moment; whoever watches wants to see it come back.
_AWAY = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}

Story = Mapping[str, Any]


async def until_final(console: Console, operator: Operator, story: Story) -> Story:
    """Show the story anew as it goes on, until nothing is waited for; answer the last one.

    On a terminal it is one picture that changes; elsewhere each change is a line on stderr.
    """
    if console.is_terminal:
        with Live(console=console, transient=True, auto_refresh=False) as live:
            while not _is_final(story):
                live.update(_picture(console, story), refresh=True)
                story = await _look_again(operator, story)
        return story
    log = Console(stderr=True, soft_wrap=True, highlight=False)
    told: object = None
    while not _is_final(story):
        news = story["payment"]["status"], story["outlook"]["waits_for"], len(story["timeline"])
        if news != told:
            log.print(Text(story["headline"]))
        told = news
        story = await _look_again(operator, story)
    return story


def _is_final(story: Story) -> bool:
    return bool(story["outlook"]["waits_for"] == "NOTHING")


async def _look_again(operator: Operator, story: Story) -> Story:
    await asyncio.sleep(_LOOK_EVERY_S)
    try:
        return await operator.story(story["payment"]["payment_id"])
    except grpc.aio.AioRpcError as error:
        if error.code() in _AWAY:
            return story
        raise


def _picture(console: Console, story: Story) -> Group:
    rows = max(console.height - _ROWS_BESIDE, _ROWS_MIN)
    blank = Text()
    return Group(
        headline(story), blank, timeline(story, rows), blank, outlook(story), *actions(story)
    )
