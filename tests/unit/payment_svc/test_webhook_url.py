"""Where webhooks may go: a table of what people try."""

from ipaddress import ip_address

import pytest

from chassis.errors import InvalidRequest
from payment_svc.domain.webhook_url import TargetRules

PRODUCTION = TargetRules()
DEVELOPMENT = TargetRules.parse("127.0.0.0/8, ::1/128", is_production=False)

GOOD = [
    ("https://example.com", "example.com", 443),
    ("https://example.com/", "example.com", 443),
    ("https://hooks.example.com:8443/a/b?c=d&e=%20f", "hooks.example.com", 8443),
    ("https://EXAMPLE.com/x~y/;p=1", "example.com", 443),
    ("https://xn--bcher-kva.example/", "xn--bcher-kva.example", 443),
    ("https://93.184.215.14/hook", "93.184.215.14", 443),
    ("https://[2606:2800:21f:cb07::1]:443/", "2606:2800:21f:cb07::1", 443),
    ("https://1.example", "1.example", 443),
    ("https://example.com/@not-a-user", "example.com", 443),
]

NASTY = [
    # No URL, or one that two readers take for two.
    "", " ", "example.com", "//example.com", "https:example.com", "https:/example.com",
    "https:///example.com", "https://", "https://:443/", "ftp://example.com", "file:///etc/passwd",
    "gopher://example.com", "javascript:alert(1)", "HTTPS://example.com ", " https://example.com",
    "https://example.com/\n", "https://example.com/\r\nHost: x", "https://exam\tple.com",
    "https://example.com\\@127.0.0.1/", "https://example.com/\\", "https://example.com/ä",
    "https://bücher.example/", "https://example.com#fragment", "https://example.com/#",
    "https://example.com/\x00", "https://example.com/{a}", "https://example.com/<a>",
    # Somebody's credentials.
    "https://user@example.com/", "https://@example.com/",
    "https://user:password@example.com/",  # pragma: allowlist secret
    "https://example.com:443@127.0.0.1/", "https://127.0.0.1%40example.com/",
    # Ports.
    "https://example.com:80/", "https://example.com:22/", "https://example.com:0/",
    "https://example.com:65536/", "https://example.com:/", "https://example.com:4 43/",
    "https://example.com:99999999/", "http://example.com/", "http://example.com:443/",
    # Hosts that are none, and numbers in disguise.
    "https://-example.com/", "https://example-.com:x/", "https://exa_mple.com/",
    "https://example..com/", "https://.example.com/", "https://example.com./",
    "https://" + "a" * 64 + ".com/", "https://" + "a." * 127 + "com/", "https://%65xample.com/",
    "https://127.1/", "https://2130706433/", "https://0x7f000001/", "https://0x7f.1/",
    "https://0177.0.0.1/", "https://127.0.0.1.1/", "https://256.1.1.1/", "https://0/",
    "https://[::1/", "https://::1/", "https://[example.com]/", "https://[127.0.0.1]/",
    "https://[fe80::1%25eth0]/", "https://[fe80::1%eth0]/",
    "https://example.com/" + "a" * 2000,
]  # fmt: skip

REFUSED = [
    "127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1",
    "172.31.255.255", "192.168.1.1", "169.254.169.254", "100.64.0.1", "100.127.255.255",
    "192.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "192.88.99.1",
    "224.0.0.1", "239.255.255.255", "233.252.0.1", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:93.184.215.14", "::ffff:10.0.0.1",
    "64:ff9b::7f00:1", "64:ff9b::5db8:d70e", "64:ff9b:1::1", "2001::1", "2001:db8::1",
    "2002:7f00:1::", "2002:5db8:d70e::1", "fc00::1", "fd12:3456::1", "fe80::1", "fe80::1%1",
    "fec0::1", "ff02::1", "ff0e::1", "100::1",
]  # fmt: skip


@pytest.mark.parametrize(("text", "host", "port"), GOOD)
def test_a_good_url_is_read_as_it_is(text: str, host: str, port: int) -> None:
    """Host and port are what every reader sees; the text is not touched."""
    read = PRODUCTION.read(text)

    assert (read.text, read.host, read.port) == (text, host, port)


@pytest.mark.parametrize("text", NASTY)
def test_a_nasty_url_is_refused(text: str) -> None:
    """The error names the field, and does not hold the URL, which may hold a password."""
    with pytest.raises(InvalidRequest) as refusal:
        PRODUCTION.read(text)

    assert [violation.field for violation in refusal.value.violations] == ["url"]
    assert "password" not in refusal.value.message


@pytest.mark.parametrize("address", REFUSED)
def test_an_address_of_nobodys_is_refused(address: str) -> None:
    """Neither what is ours, nor what is no single host, nor what leads to either in disguise."""
    assert not PRODUCTION.admits(ip_address(address))
    if "%" not in address:
        host = f"[{address}]" if ":" in address else address
        with pytest.raises(InvalidRequest):
            PRODUCTION.read(f"https://{host}/")


@pytest.mark.parametrize("address", ["93.184.215.14", "8.8.8.8", "2606:4700::1111", "2a00::1"])
def test_a_public_address_is_admitted(address: str) -> None:
    """The internet can be reached."""
    assert PRODUCTION.admits(ip_address(address))
    assert PRODUCTION.admits_all([address])


def test_one_bad_address_spoils_a_name() -> None:
    """A name that leads to a public and to a private address leads nowhere."""
    assert not PRODUCTION.admits_all(["93.184.215.14", "10.0.0.1"])


def test_allowed_networks_lift_the_rule_for_themselves_alone() -> None:
    """The embedded stack reaches loopback, and nothing else that is not public."""
    assert DEVELOPMENT.read("http://127.0.0.1:8099/hook").port == 8099
    assert DEVELOPMENT.read("http://localhost:8099").host == "localhost"
    assert DEVELOPMENT.admits(ip_address("::1"))
    assert not DEVELOPMENT.admits(ip_address("::ffff:127.0.0.1"))
    for address in ("10.0.0.1", "169.254.169.254", "fe80::1"):
        assert not DEVELOPMENT.admits(ip_address(address))


def test_production_is_strict_whatever_is_allowed() -> None:
    """An allowed network is still reached by https and the two ports alone."""
    rules = TargetRules.parse("10.0.0.0/8", is_production=True)

    assert rules.read("https://10.1.2.3/").host == "10.1.2.3"
    for text in ("http://10.1.2.3/", "https://10.1.2.3:9000/"):
        with pytest.raises(InvalidRequest):
            rules.read(text)


@pytest.mark.parametrize("networks", ["10.0.0.0/33", "10.0.0.1/8", "internal", "127.0.0.1;::1"])
def test_a_network_that_is_none_is_told(networks: str) -> None:
    """A misspelt exception must not start, rather than be left out."""
    with pytest.raises(ValueError, match=r"."):
        TargetRules.parse(networks, is_production=True)
