"""Where a call may go: its host is resolved once, what that gives is judged, and the call goes to those very addresses.

A name that points into the house (or to a cloud's metadata service) could otherwise turn a webhook into a way in; and a
name that is resolved twice could point elsewhere the second time.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], list[str]]

_OF_CLOUDS = (
    "169.254.0.0/16",  # link-local: the metadata service of most
    "100.100.100.200/32",  # Alibaba
    "168.63.129.16/32",  # Azure
    "192.0.0.192/32",  # Oracle
    "fd00:ec2::254/128",  # AWS
)
_NO_HOST = ("0.0.0.0/8", "240.0.0.0/4", "fe80::/10")
# Whatever the config says.
_NEVER = tuple(map(ipaddress.ip_network, _OF_CLOUDS + _NO_HOST))
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class Destination:
    """The addresses to connect to, the first that answers, and what the receiver is still told its name is."""

    urls: tuple[httpx.URL, ...]
    host_header: str
    extensions: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Forbidden:
    why: str


def system_resolver(host: str, port: int) -> list[str]:
    """Raises OSError if the name is not known."""
    return [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def destination(url: str, *, allow_private: bool, resolve: Resolve = system_resolver) -> Destination | Forbidden:
    """`allow_private`: the intranet may be called, without TLS, too. This machine may always be, by its own name.

    Raises OSError if the host cannot be resolved, httpx.InvalidURL or ValueError if it is no web address.
    """
    parsed = httpx.URL(url)
    here = _is_loopback(parsed.host)
    if parsed.scheme not in ("http", "https") or not parsed.host:
        return Forbidden("the url is not a web address")
    port = parsed.port or (443 if parsed.scheme == "https" else 80)
    found = [ipaddress.ip_address(text.partition("%")[0]) for text in resolve(parsed.host, port)]
    if not found:
        return Forbidden("the host has no address")
    if not all(address.is_loopback if here else _may_be_called(address, allow_private) for address in found):
        return Forbidden("the host is a private address; for the intranet write allow_private: yes in config.yaml")
    if parsed.scheme == "http" and not here and (not allow_private or any(each.is_global for each in found)):
        return Forbidden("the url must begin with https://")
    return _pinned(parsed, tuple(dict.fromkeys(found)))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _may_be_called(address: Address, allow_private: bool) -> bool:
    address = _embedded(address)
    if address.is_multicast or address.is_unspecified or any(address in network for network in _NEVER):
        return False
    return address.is_global or allow_private


def _embedded(address: Address) -> Address:
    """An IPv4 address in IPv6 clothes is judged as what it is."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _pinned(url: httpx.URL, addresses: Iterable[Address]) -> Destination:
    """TLS still checks the certificate against the name."""
    extensions = {"sni_hostname": url.host} if url.scheme == "https" else {}
    pinned = tuple(url.copy_with(host=str(address)) for address in addresses)
    return Destination(pinned, url.netloc.decode("ascii"), extensions)
