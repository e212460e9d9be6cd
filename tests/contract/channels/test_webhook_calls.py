"""Calling a system of the business: what is posted, what an answer means, and where a call may go at all."""

from __future__ import annotations

import hashlib
import hmac
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from channel_servers import Answer, Behaviour, HangUp, HttpProvider, Stall, closed_port, said
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import SecretStr

from engage.channels.destination import Destination, Forbidden, destination
from engage.channels.webhook import WebhookCaller
from engage.config import Webhook
from engage.core.webhook_call import Done, Refused, Unsettled

BODY = '{"journey": "refill_hard", "data": {"名字": "王芳"}}'
OK = said({"ok": True})


@contextmanager
def receiver(answer: Behaviour = OK, secret: str | None = None) -> Iterator[tuple[WebhookCaller, HttpProvider]]:
    with HttpProvider(lambda seen: answer) as server:
        caller = WebhookCaller(Webhook.model_validate({"url": f"{server.url}/coupons?a=b", "secret": secret}))
        yield caller, server
        caller.close()


# --- the call ---------------------------------------------------------------------------------------------------


def test_a_call_is_one_signed_post() -> None:
    with receiver(secret="secret-canary") as (caller, server):
        assert caller.call(BODY, "key-1", 5.0) == Done()
        (seen,) = server.seen
    assert (seen.method, seen.target, seen.body) == ("POST", "/coupons?a=b", BODY.encode())
    assert seen.headers["content-type"] == "application/json; charset=utf-8"
    assert seen.headers["idempotency-key"] == "key-1"
    digest = hmac.new(b"secret-canary", BODY.encode(), hashlib.sha256).hexdigest()
    assert seen.headers["x-engage-signature"] == f"sha256={digest}"


def test_without_a_secret_nothing_is_signed() -> None:
    with receiver() as (caller, server):
        caller.call(BODY, "key-1", 5.0)
        assert "x-engage-signature" not in server.seen[0].headers


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_any_2xx_is_done_whatever_it_says(status: int) -> None:
    with receiver(Answer(status, b"" if status == 204 else b"<html>")) as (caller, _):
        assert caller.call(BODY, "k", 5.0) == Done()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 422])
def test_a_4xx_is_a_refusal_for_good(status: int) -> None:
    with receiver(said({"phone": "13800138000"}, status)) as (caller, _):
        assert caller.call(BODY, "k", 5.0) == Refused(f"http {status}")


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_what_says_not_now_is_tried_again(status: int) -> None:
    with receiver(Answer(status)) as (caller, _):
        assert caller.call(BODY, "k", 5.0) == Unsettled(f"http {status}")


def test_a_redirect_is_not_followed() -> None:
    with HttpProvider(lambda seen: OK) as elsewhere:
        moved = Answer(307, headers={"Location": f"{elsewhere.url}/x"})
        with receiver(moved) as (caller, _):
            assert caller.call(BODY, "k", 5.0) == Refused("http 307: it redirects elsewhere")
        assert elsewhere.seen == []


@pytest.mark.parametrize("behaviour", [HangUp(), Stall()])
def test_no_answer_is_no_verdict(behaviour: Behaviour) -> None:
    with receiver(behaviour) as (caller, _):
        outcome = caller.call(BODY, "k", 0.5)
    assert isinstance(outcome, Unsettled)
    assert outcome.why.startswith("no answer")


def test_nobody_listens() -> None:
    caller = WebhookCaller(Webhook.model_validate({"url": f"http://127.0.0.1:{closed_port()}/"}))
    assert caller.call(BODY, "k", 2.0) == Unsettled("no answer (ConnectError)")
    caller.close()


def test_a_name_that_nobody_knows_may_be_known_later() -> None:
    def unknown(host: str, port: int) -> list[str]:
        raise socket.gaierror(-2, "Name or service not known")

    caller = WebhookCaller(Webhook.model_validate({"url": "https://crm.example/"}), unknown)
    assert caller.call(BODY, "k", 2.0) == Unsettled("no answer (gaierror)")
    caller.close()


@pytest.mark.parametrize("host", ["crm..example", f"{'a' * 64}.example", "例子..测试"])
def test_a_host_that_cannot_be_is_a_failure_not_an_accident(host: str) -> None:
    caller = WebhookCaller(Webhook.model_construct(url=SecretStr(f"https://{host}/x")))
    assert caller.call(BODY, "k", 2.0) == Unsettled("the url is not a web address")
    caller.close()


def test_where_the_first_address_is_dead_the_next_is_called_and_once() -> None:
    with HttpProvider(lambda seen: OK) as server:
        port = server._server.server_port
        webhook = Webhook.model_validate({"url": f"http://crm.intranet:{port}/", "allow_private": True})
        caller = WebhookCaller(webhook, lambda host, port: ["127.0.0.2", "127.0.0.1", "127.0.0.1"])
        assert caller.call(BODY, "k", 5.0) == Done()
        caller.close()
        assert len(server.seen) == 1


def test_once_it_was_posted_no_other_address_is_tried() -> None:
    with HttpProvider(lambda seen: HangUp()) as server:
        port = server._server.server_port
        webhook = Webhook.model_validate({"url": f"http://crm.intranet:{port}/", "allow_private": True})
        caller = WebhookCaller(webhook, lambda host, port: ["127.0.0.1", "::1"])
        outcome = caller.call(BODY, "k", 5.0)
        caller.close()
        assert isinstance(outcome, Unsettled)
        assert "ConnectError" not in outcome.why
        assert len(server.seen) == 1


def test_when_looking_up_the_name_took_all_the_time_nobody_is_called() -> None:
    with receiver() as (caller, server):
        assert caller.call(BODY, "k", 0.0) == Unsettled("no answer (looking up its name took too long)")
        assert server.connections == 0


def test_a_huge_answer_is_not_read() -> None:
    with receiver(Answer(200, b"x" * 10, cut=True)) as (caller, _):  # announces more than it sends: nobody waits for it
        assert caller.call(BODY, "k", 5.0) == Done()


# --- where it may go --------------------------------------------------------------------------------------------


def to(url: str, *addresses: str, allow_private: bool = False) -> Destination | Forbidden:
    return destination(url, allow_private=allow_private, resolve=lambda host, port: list(addresses))


def test_the_name_is_resolved_once_and_the_address_is_called() -> None:
    found = to("https://crm.example:8443/a?b=c", "93.184.216.34")
    assert isinstance(found, Destination)
    assert [str(url) for url in found.urls] == ["https://93.184.216.34:8443/a?b=c"]
    assert (found.host_header, found.extensions) == ("crm.example:8443", {"sni_hostname": "crm.example"})


def test_the_receiver_is_still_told_its_name() -> None:
    with HttpProvider(lambda seen: OK) as server:
        webhook = Webhook.model_validate(
            {"url": f"http://crm.intranet:{server._server.server_port}/", "allow_private": True}
        )
        caller = WebhookCaller(webhook, lambda host, port: ["127.0.0.1"])
        assert caller.call(BODY, "k", 5.0) == Done()
        assert server.seen[0].headers["host"] == f"crm.intranet:{server._server.server_port}"
        caller.close()


PRIVATE = ["10.0.0.1", "172.16.3.4", "192.168.1.1", "127.0.0.1", "100.64.0.1", "::1", "fd00::1", "::ffff:10.0.0.1"]
NEVER = [
    "169.254.169.254",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "fd00:ec2::254",
    "fe80::1",
    "0.0.0.0",
    "::",
    "224.0.0.1",
    "255.255.255.255",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
]


@pytest.mark.parametrize("address", PRIVATE + NEVER)
def test_a_name_must_not_point_into_the_house(address: str) -> None:
    assert isinstance(to("https://crm.example/", address), Forbidden)
    assert isinstance(to("https://crm.example/", "93.184.216.34", address), Forbidden)


@pytest.mark.parametrize("address", PRIVATE)
def test_the_intranet_may_be_called_where_the_config_says_so(address: str) -> None:
    assert isinstance(to("https://crm.intranet/", address, allow_private=True), Destination)
    assert isinstance(to("http://crm.intranet/", address, allow_private=True), Destination)


@pytest.mark.parametrize("address", NEVER)
def test_but_never_what_belongs_to_the_machine_or_its_cloud(address: str) -> None:
    assert isinstance(to("https://crm.intranet/", address, allow_private=True), Forbidden)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/", "http://localhost:9/", "http://[::1]:9/", "https://localhost/"])
def test_this_machine_may_be_called_by_its_own_name(url: str) -> None:
    assert isinstance(to(url, "::1" if "::1" in url else "127.0.0.1"), Destination)


def test_a_localhost_that_is_somewhere_else_is_not_this_machine() -> None:
    assert isinstance(to("http://localhost/", "93.184.216.34"), Forbidden)


@pytest.mark.parametrize("allow_private", [False, True])
def test_nothing_goes_over_the_open_net_without_tls(allow_private: bool) -> None:
    found = to("http://crm.example/", "93.184.216.34", allow_private=allow_private)
    assert found == Forbidden("the url must begin with https://")


@pytest.mark.parametrize("url", ["ftp://crm.example/", "crm.example/x", "https:///x", "file:///etc/passwd"])
def test_only_web_addresses_are_called(url: str) -> None:
    assert isinstance(to(url, "93.184.216.34"), Forbidden)


def test_what_is_forbidden_is_said_and_nothing_is_called() -> None:
    with HttpProvider(lambda seen: OK) as server:
        webhook = Webhook.model_validate({"url": f"https://crm.example:{server._server.server_port}/"})
        caller = WebhookCaller(webhook, lambda host, port: ["127.0.0.1"])
        outcome = caller.call(BODY, "k", 5.0)
        caller.close()
        assert isinstance(outcome, Unsettled)
        assert "allow_private" in outcome.why
        assert (server.seen, server.connections) == ([], 0)


# --- over TLS ---------------------------------------------------------------------------------------------------


def a_certificate(folder: Path, name: str) -> Path:
    """Self-signed, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / f"{name}.pem"
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.mark.parametrize(
    ("named", "outcome"), [("crm.example", Done()), ("other.example", Unsettled("no answer (ConnectError)"))]
)
def test_the_certificate_must_be_for_the_name_although_the_address_is_called(
    tmp_path: Path, named: str, outcome: Done | Unsettled
) -> None:
    pem = a_certificate(tmp_path, named)
    at_server, at_client = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.create_default_context()
    at_server.load_cert_chain(pem)
    at_client.load_verify_locations(pem)
    server = HttpProvider(lambda seen: OK)
    server._server.socket = at_server.wrap_socket(server._server.socket, server_side=True)
    with server:
        url = f"https://crm.example:{server._server.server_port}/"
        webhook = Webhook.model_validate({"url": url, "allow_private": True})
        caller = WebhookCaller(webhook, lambda host, port: ["127.0.0.1"])
        caller._http = httpx.Client(verify=at_client, trust_env=False)
        assert caller.call(BODY, "k", 5.0) == outcome
        caller.close()
