"""Which addresses may be connected to."""

import ipaddress

import pytest

from toolkit.scrape import public_only

IPV4 = """
    0.0.0.0 10.1.2.3 100.64.0.1 127.0.0.1 127.255.255.254 169.254.169.254 172.16.0.1 172.31.255.255 192.0.0.1 192.0.2.1
    192.168.0.1 198.18.0.1 198.51.100.7 203.0.113.9 224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255
"""
IPV6 = """
    :: ::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::127.0.0.1 64:ff9b::10.0.0.1 64:ff9b::7f00:1 64:ff9b:1::1 100::1
    2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:db8::1 2002:0a00:0001::1 2002:7f00:1:: fc00::1 fd12:3456::1 fe80::1
    fec0::1 ff02::1 4000::1
"""
PUBLIC = """
    1.1.1.1 8.8.8.8 151.101.1.140 172.32.0.1 2606:4700:4700::1111 ::ffff:1.1.1.1 64:ff9b::1.1.1.1
"""


@pytest.mark.parametrize("address", [*IPV4.split(), *IPV6.split()])
def test_an_address_that_is_not_public_is_not_connected_to(address):
    assert not public_only.public(address)


@pytest.mark.parametrize("address", PUBLIC.split())
def test_a_public_address_may_be_connected_to(address):
    assert public_only.public(address)


@pytest.mark.parametrize(("address", "reached"), [("10.0.0.7", True), ("10.0.1.7", False), ("::ffff:10.0.0.7", True)])
def test_a_network_that_is_allowed_may_be_reached_and_no_other(address, reached):
    assert public_only.public(address, [ipaddress.ip_network("10.0.0.0/24")]) == reached


def test_a_network_that_is_none_is_a_wrong_argument():
    with pytest.raises(ValueError, match="does not appear to be"):
        public_only.session(["home"])


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_both_kinds_of_connections_are_guarded(scheme):
    with (
        public_only.session() as session,
        pytest.raises(public_only.Blocked, match="192.168.1.1, which is not a public address"),
    ):
        session.get(f"{scheme}://192.168.1.1/")


OTHERS = """
    192.0.0.192 192.0.0.8 168.63.129.16 192.88.99.1 100.100.100.200 3fff::1 5f00::1 2001:20::1 100:0:0:1::7
    2001:470::200:5efe:127.0.0.1 2001:470::5efe:10.0.0.1 2001:470::fdff:5efe:1.2.3.4
"""


@pytest.mark.parametrize("address", OTHERS.split())
def test_the_guard_has_a_table_of_its_own_whatever_pythons_says(address, monkeypatch):
    everything = property(lambda self: True)
    monkeypatch.setattr(ipaddress.IPv4Address, "is_global", everything)
    monkeypatch.setattr(ipaddress.IPv6Address, "is_global", everything)
    assert public_only.public(address) == (address == "2001:470::fdff:5efe:1.2.3.4")  # which is no ISATAP address


@pytest.mark.parametrize(
    ("named", "allowed"), [("http://127.0.0.1:8000/wiki", ("127.0.0.1",)), ("http:///nothing", ())]
)
def test_the_host_that_a_person_named_may_be_reached_and_no_other(named, allowed):
    assert public_only.named(named) == allowed
