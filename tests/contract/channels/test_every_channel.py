"""What every channel owes the engine, whatever its provider does. Run over all of them, against real servers."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from channel_rigs import ADDRESSES, HANGS_UP, NOW, SECRETS, SMS, STALLS, WECHAT, OneChannel, Rig, a_message, one_channel
from channel_servers import Answer, Behaviour, Drip, HttpProvider, Stall, closed_port, self_signed

from engage.channels.contract import Contact, NoWay, Payload, Way
from engage.core.catalog import TopicClass
from engage.core.fact import Act
from engage.core.outcome import Accepted, Failure, Rejected, Unknown

PATIENCE = 5.0
IMPATIENCE = 0.4


def test_accepted(rig: Rig) -> None:
    payload = rig.payload()
    assert rig.channel.send(payload, PATIENCE) == Accepted(rig.provider_id, payload.segments, payload.cost)
    assert rig.handovers() == 1


def test_each_refusal_has_its_class(rig: Rig) -> None:
    for behaviour, failure in rig.refusals:
        rig.behave(behaviour)
        rig.drop_connections()  # a refused greeting is met on a new connection only
        outcome = rig.channel.send(rig.payload(), PATIENCE)
        assert isinstance(outcome, Rejected), behaviour
        assert outcome.failure is failure, behaviour
        assert outcome.code


def test_a_refusal_is_not_repeated(rig: Rig) -> None:
    behaviour, _ = rig.refusals[0]
    rig.behave(behaviour)
    rig.channel.send(rig.payload(), PATIENCE)
    expected = 0 if rig.name == "email" else 1  # refused at RCPT: DATA was never reached
    assert rig.handovers() == expected


def test_no_answer_in_time_is_unknown_and_not_repeated(rig: Rig) -> None:
    rig.behave(STALLS)
    assert isinstance(rig.channel.send(rig.payload(), IMPATIENCE), Unknown)
    assert rig.handovers() == 1


def test_a_connection_closed_without_an_answer_is_unknown(rig: Rig) -> None:
    rig.behave(HANGS_UP)
    assert isinstance(rig.channel.send(rig.payload(), PATIENCE), Unknown)
    assert rig.handovers() == 1


def test_it_works_again_after_trouble(rig: Rig) -> None:
    rig.behave(HANGS_UP)
    rig.channel.send(rig.payload(), PATIENCE)
    rig.behave("250 2.0.0 Ok: queued as 4ABC" if rig.name == "email" else None)
    assert isinstance(rig.channel.send(rig.payload(), PATIENCE), Accepted)


def test_nobody_listens(unreachable: tuple[OneChannel, Payload]) -> None:
    channel, payload = unreachable
    outcome = channel.send(payload, PATIENCE)
    assert isinstance(outcome, Rejected)
    assert outcome.failure is Failure.PROVIDER_ERROR


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, b""),
        Answer(200, b"<html><body>Welcome to nginx</body></html>"),
        Answer(200, b"[]"),
        Answer(200, b"{}"),
        Answer(200, b"null"),
        Answer(200, b'{"errcode": "what", "Code": null}'),
        Answer(200, b'{"errcode": {}, "Code": {}}'),
        Answer(200, b'{"errcode": 0, "Code": "OK"', cut=True),
        Answer(200, b"[" * 100_000),
        Answer(200, b'{"errcode": 0, "Code": "OK", "more": "' + b"x" * 5_000_000 + b'"}'),  # nobody's verdict
        Drip(),
        Answer(500, b"<html>Internal Server Error</html>"),
        Answer(502, b""),
        Answer(503, b'{"Code":"ServiceUnavailable","Message":"busy"}'),
    ],
)
def test_an_answer_without_a_verdict_is_unknown(http_rig: Rig, answer: Behaviour) -> None:
    http_rig.behave(answer)
    patience = IMPATIENCE if isinstance(answer, Drip) else PATIENCE
    assert isinstance(http_rig.channel.send(http_rig.payload(), patience), Unknown)
    assert http_rig.handovers() == 1


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (Answer(302, b"", {"Location": "https://elsewhere.example/"}), Failure.CONFIGURATION),
        (Answer(403, b"denied"), Failure.CONFIGURATION),
        (Answer(404, b"<html>Not Found</html>"), Failure.PROVIDER_ERROR),
        (Answer(429, b""), Failure.THROTTLED),
    ],
)
def test_an_http_refusal_is_definite(http_rig: Rig, answer: Answer, failure: Failure) -> None:
    http_rig.behave(answer)
    outcome = http_rig.channel.send(http_rig.payload(), PATIENCE)
    assert isinstance(outcome, Rejected)
    assert outcome.failure is failure
    assert http_rig.handovers() == 1  # no redirect was followed


def test_connections_are_kept(rig: Rig) -> None:
    for _ in range(5):
        rig.channel.send(rig.payload(), PATIENCE)
    assert rig.handovers() == 5
    assert rig.server.connections == 1


def test_a_kept_connection_that_the_provider_has_closed_is_not_used(http_rig: Rig) -> None:
    """Between two calls it can be known; else every pause would end in a message of which nobody knows."""
    normal = http_rig.server.respond
    http_rig.channel.send(http_rig.payload(), PATIENCE)  # WeChat's token is there
    http_rig.server.respond = lambda seen: replace(normal(seen), closes=True)
    for number in range(2, 5):
        assert isinstance(http_rig.channel.send(http_rig.payload(), PATIENCE), Accepted)
        assert http_rig.handovers() == number
        assert http_rig.server.idle.acquire(timeout=PATIENCE)


def test_one_call_that_hangs_holds_up_no_other(http_rig: Rig) -> None:
    http_rig.channel.send(http_rig.payload(), PATIENCE)  # WeChat's token is there
    normal, hangs = http_rig.server.respond, iter([Stall()])
    http_rig.server.respond = lambda seen: next(hangs, None) or normal(seen)
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda _: http_rig.channel.send(http_rig.payload(), 1.0), range(8)))
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Accepted"] * 7 + ["Unknown"]
    assert http_rig.handovers() == 9


def test_a_certificate_nobody_vouches_for_gets_no_message(http_rig: Rig, tmp_path: Path) -> None:
    section = {"wechat": WECHAT, "sms": SMS}[http_rig.name]
    with HttpProvider(http_rig.server.respond, self_signed(tmp_path)) as server:
        channel = one_channel(http_rig.name, section | {"base_url": server.url}, http_rig.clock)
        outcome = channel.send(http_rig.payload(), PATIENCE)
        channel.close()
    assert isinstance(outcome, Rejected)
    assert "certificate" in outcome.detail
    assert server.seen == []


def test_a_proxy_of_the_shell_is_not_used(monkeypatch: pytest.MonkeyPatch, rig: Rig) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{closed_port()}")
    assert isinstance(rig.channel.send(rig.payload(), PATIENCE), Accepted)


def test_no_outcome_tells_a_secret_or_an_address(rig: Rig) -> None:
    for behaviour in [HANGS_UP, STALLS, *(behaviour for behaviour, _ in rig.refusals)]:
        rig.behave(behaviour)
        told = repr(rig.channel.send(rig.payload(), IMPATIENCE))
        assert not [secret for secret in (*SECRETS, ADDRESSES[rig.name]) if secret in told]


def test_an_unreachable_provider_tells_no_secret(unreachable: tuple[OneChannel, Payload]) -> None:
    channel, payload = unreachable
    told = repr(channel.send(payload, PATIENCE))
    assert not [secret for secret in SECRETS if secret in told]


def test_the_same_message_is_the_same_bytes(rig: Rig) -> None:
    assert json.dumps(rig.payload().data) == json.dumps(rig.payload().data)


def test_what_was_stored_is_what_is_sent(rig: Rig) -> None:
    payload = rig.payload()
    stored = replace(payload, data=json.loads(json.dumps(payload.data)))
    assert stored == payload
    assert isinstance(rig.channel.send(stored, PATIENCE), Accepted)


def test_closing_drops_connections_and_nothing_else(rig: Rig) -> None:
    for _ in range(2):
        assert isinstance(rig.channel.send(rig.payload(), PATIENCE), Accepted)
        rig.channel.close()
        rig.channel.close()
    assert rig.server.connections == 2


def test_a_way_says_its_mode_and_why(rig: Rig) -> None:
    message = a_message(rig.name, rig.mode)
    window = rig.channel.window_after(None, Act.MESSAGE, NOW) if rig.mode == "customer_service" else None
    contact = Contact(ADDRESSES[rig.name], window)
    way = rig.channel.way(message.rendered.front, contact, TopicClass.SERVICE, NOW)
    assert isinstance(way, Way)
    assert way.mode == rig.mode
    assert way.why
    assert rig.channel.supports(message.rendered.front, TopicClass.SERVICE)


@pytest.mark.parametrize(
    "address", ["", "nobody", "+86", "13800138000", "a b@example.com", "张@例子.中国", "a@b\r\nX: y"]
)
def test_an_address_that_cannot_be_one_is_no_way(addressed_rig: Rig, address: str) -> None:
    message = a_message(addressed_rig.name, addressed_rig.mode)
    way = addressed_rig.channel.way(message.rendered.front, Contact(address), TopicClass.SERVICE, NOW)
    assert isinstance(way, NoWay)
