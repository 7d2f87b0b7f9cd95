"""Where a buyer may be sent from a PSP's page."""

import pytest

from chassis.errors import InvalidRequest
from payment_svc.domain.return_url import ReturnUrls

NAMED = ReturnUrls.parse(
    "https://shop.example, https://pay.example:8443, http://127.0.0.1:*", is_production=False
)


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.example",
        "https://SHOP.example/thanks?order=1",
        "https://shop.example:443/x",
        "https://pay.example:8443/done",
        "http://127.0.0.1:40123/back",
    ],
)
def test_a_named_site_passes(url: str) -> None:
    """Its scheme, host and port are named; path and query are the client's."""
    NAMED.check("success_url", url)


@pytest.mark.parametrize(
    "url",
    [
        "http://shop.example/x",
        "https://shop.example:8443/x",
        "https://evil.example/x",
        "https://shop.example.evil.example/x",
        "https://pay.example/x",
        "http://localhost:1/x",
    ],
)
def test_another_site_is_refused(url: str) -> None:
    """Nobody is sent where the operator has not said so."""
    with pytest.raises(InvalidRequest) as refused:
        NAMED.check("cancel_url", url)

    assert (refused.value.violations[0].field, refused.value.violations[0].reason) == (
        "cancel_url",
        "RETURN_URL_REFUSED",
    )


@pytest.mark.parametrize(
    "url",
    [
        "",
        "shop.example/x",
        "javascript:alert(1)",
        "//shop.example/x",
        "https://shop.example@evil.example/",
        "https://shop.example\\@evil.example/",
        "https://shop.example/#x",
        "https://shop.example/\r\nx",
        "https://shop.example/" + "x" * 2000,
    ],
)
def test_what_is_no_plain_url_is_refused(url: str) -> None:
    """Nothing passes that two readers could take for different things."""
    with pytest.raises(InvalidRequest) as refused:
        NAMED.check("success_url", url)

    assert refused.value.violations[0].reason == "INVALID_FIELD"


def test_nothing_named_admits_nothing() -> None:
    """Without a setting no page is opened."""
    with pytest.raises(InvalidRequest):
        ReturnUrls.parse("", is_production=True).check("success_url", "https://shop.example/")


@pytest.mark.parametrize(
    "named",
    ["shop.example", "https://shop.example/", "https://*.example", "https://shop.example:*"],
)
def test_a_loose_setting_is_refused(named: str) -> None:
    """A typing error in the setting stops the service; it does not widen it."""
    with pytest.raises(ValueError, match=r"origin|any port"):
        ReturnUrls.parse(named, is_production=False)


def test_production_takes_https_alone() -> None:
    """A buyer is never sent back in the clear."""
    with pytest.raises(ValueError, match="https"):
        ReturnUrls.parse("http://shop.example", is_production=True)
