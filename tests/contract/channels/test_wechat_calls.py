"""WeChat's API: the token, the one retry after a stale token, the road that leads nowhere else."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

import pytest
from channel_rigs import NOW, WECHAT, OneChannel, Rig, a_message, one_channel, wechat_error
from channel_servers import Answer, Behaviour, HangUp, HttpProvider, Seen, Stall, said

from engage.channels.http_answer import Deadline
from engage.channels.wechat.token import Grant, TokenKeeper
from engage.clock import SystemClock, VirtualClock
from engage.core.outcome import Accepted, Failure, Rejected
from tests.harness.clock import SkippingClock

OK = said({"errcode": 0, "errmsg": "ok", "msgid": 1})


@contextmanager
def wechat(respond: Callable[[Seen], Behaviour]) -> Iterator[tuple[OneChannel, HttpProvider, VirtualClock]]:
    clock = VirtualClock(NOW)
    with HttpProvider(respond) as server:
        channel = one_channel("wechat", WECHAT | {"base_url": server.url}, clock)
        yield channel, server, clock
        channel.close()


def send(channel: OneChannel) -> object:
    return channel.send(channel.compose(a_message("wechat", "template")), 5.0)


def paths(server: HttpProvider) -> list[str]:
    return [seen.path.removeprefix("/cgi-bin/") for seen in server.seen]


def numbered_tokens(seconds: int = 7200) -> Callable[[], Answer]:
    count = iter(range(1, 1000))
    return lambda: said({"access_token": f"T{next(count)}", "expires_in": seconds})


def test_what_a_template_message_looks_like_on_the_wire(wechat_rig: Rig) -> None:
    wechat_rig.channel.send(wechat_rig.payload(), 5.0)
    token, message = wechat_rig.server.seen
    assert token.method == "POST"
    assert token.target == "/cgi-bin/stable_token"
    assert token.json == {
        "grant_type": "client_credential",
        "appid": "wxba5fad812f8e6fb9",
        "secret": "app-secret-canary",
        "force_refresh": False,
    }
    assert message.target == "/cgi-bin/message/template/send?access_token=TOKEN-canary-1"
    assert message.headers["content-type"] == "application/json"
    assert "试饮装".encode() in message.body  # real characters: WeChat shows \\u escapes as they are
    assert message.json == {
        "touser": "oAbCdEfGhIjKlMnOpQrStUvWxYz1",
        "template_id": "TM_1",
        "url": "https://t.cn/x",
        "client_msg_id": "enrolment-7/welcome/1/send",
        "data": {"thing1": {"value": "试饮装"}},
    }


def test_many_threads_fetch_one_token() -> None:
    token = numbered_tokens()
    with wechat(lambda seen: token() if seen.path.endswith("token") else OK) as (channel, server, _):
        with ThreadPoolExecutor(16) as pool:
            outcomes = list(pool.map(lambda _: send(channel), range(32)))
        assert outcomes == [Accepted("1")] * 32
        assert paths(server).count("stable_token") == 1


def test_the_token_is_renewed_before_it_expires_by_the_clock() -> None:
    token = numbered_tokens()
    with wechat(lambda seen: token() if seen.path.endswith("token") else OK) as (channel, server, clock):
        send(channel)
        clock.advance_to(NOW + timedelta(seconds=7200 - 61))
        send(channel)
        assert paths(server).count("stable_token") == 1
        clock.advance_to(NOW + timedelta(seconds=7200 - 60))
        send(channel)
        assert paths(server).count("stable_token") == 2
        assert server.seen[-1].query == {"access_token": "T2"}


@pytest.mark.parametrize("code", [40001, 40014, 42001])
def test_a_stale_token_is_renewed_and_the_message_sent_once_more(code: int) -> None:
    token = numbered_tokens()

    def respond(seen: Seen) -> Behaviour:
        if seen.path.endswith("token"):
            return token()
        return wechat_error(code) if seen.query["access_token"] == "T1" else OK

    with wechat(respond) as (channel, server, _):
        assert send(channel) == Accepted("1")
        assert paths(server) == ["stable_token", "message/template/send"] * 2


def test_a_token_that_stays_stale_ends_after_one_retry() -> None:
    """wechatpy alone would make 486 sends and die of recursion."""
    token = numbered_tokens()
    with wechat(lambda seen: token() if seen.path.endswith("token") else wechat_error(40001)) as (channel, server, _):
        outcome = send(channel)
        assert isinstance(outcome, Rejected)
        assert outcome.failure is Failure.CONFIGURATION
        assert paths(server).count("message/template/send") == 2


def test_calls_that_wait_for_another_token_and_get_the_same_one_do_not_ask_again() -> None:
    """`stable_token` may answer the very token that a call was refused with."""
    asked = 0

    async def fetch(_: Deadline) -> Grant:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0.01)
        return Grant("T1", timedelta(hours=2))

    async def renewed() -> list[str | Rejected]:
        keeper = TokenKeeper(SystemClock(), fetch)
        assert await keeper.current(Deadline(5)) == "T1"
        return await asyncio.gather(*(keeper.renew("T1", Deadline(5)) for _ in range(8)))

    assert asyncio.run(renewed()) == ["T1"] * 8
    assert asked == 2


def test_no_token_lasts_longer_because_the_clock_is_set_back() -> None:
    clock, names = SkippingClock(NOW), iter(("T1", "T2"))

    async def fetch(_: Deadline) -> Grant:
        return Grant(next(names), timedelta(hours=2))

    async def taken() -> list[str | Rejected]:
        keeper = TokenKeeper(clock, fetch)
        tokens = [await keeper.current(Deadline(5))]
        clock.jumps(timedelta(hours=-1))
        for hour in (1, 2):
            clock.passes(timedelta(hours=1))
            assert keeper.age == hour * 3600
            tokens.append(await keeper.current(Deadline(5)))
        return tokens

    assert asyncio.run(taken()) == ["T1", "T1", "T2"]


def test_threads_with_the_same_stale_token_renew_it_once() -> None:
    token = numbered_tokens()

    def respond(seen: Seen) -> Behaviour:
        if seen.path.endswith("token"):
            return token()
        return wechat_error(42001) if seen.query["access_token"] == "T1" else OK

    with wechat(respond) as (channel, server, _):
        with ThreadPoolExecutor(8) as pool:
            outcomes = list(pool.map(lambda _: send(channel), range(8)))
        assert outcomes == [Accepted("1")] * 8
        assert paths(server).count("stable_token") == 2


def test_a_token_that_somebody_revokes_in_the_midst_of_a_batch_costs_no_message_and_sends_none_twice() -> None:
    """Another program has asked for a token of the same account; from then on ours is no good."""
    token, taken, counting = numbered_tokens(), [], threading.Lock()

    def respond(seen: Seen) -> Behaviour:
        if seen.path.endswith("token"):
            return token()
        with counting:
            if seen.query["access_token"] == "T1" and len(taken) >= 10:
                return wechat_error(40001)
            taken.append(seen.json["client_msg_id"])
        return OK

    with wechat(respond) as (channel, server, _):
        batch = [channel.compose(a_message("wechat", "template", key=f"m/{number}")) for number in range(30)]
        with ThreadPoolExecutor(8) as pool:
            outcomes = list(pool.map(lambda payload: channel.send(payload, 5.0), batch))
        assert outcomes == [Accepted("1")] * 30
        assert paths(server).count("stable_token") == 2
    assert sorted(taken) == sorted(f"m/{number}" for number in range(30))


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (wechat_error(40164), Failure.CONFIGURATION),
        (wechat_error(40013), Failure.CONFIGURATION),
        (wechat_error(40001), Failure.CONFIGURATION),
        (wechat_error(40243), Failure.CONFIGURATION),
        (wechat_error(45009), Failure.QUOTA),
        (wechat_error(-1), Failure.PROVIDER_ERROR),
        (said({"access_token": "", "expires_in": 7200}), Failure.PROVIDER_ERROR),
        (said({"expires_in": 7200}), Failure.PROVIDER_ERROR),
        (Answer(200, b"<html>"), Failure.PROVIDER_ERROR),
        (Answer(502), Failure.PROVIDER_ERROR),
        (HangUp(), Failure.PROVIDER_ERROR),
    ],
)
def test_without_a_token_nothing_was_sent(answer: Behaviour, failure: Failure) -> None:
    with wechat(lambda seen: answer) as (channel, server, _):
        outcome = send(channel)
        assert isinstance(outcome, Rejected)
        assert outcome.failure is failure
        assert set(paths(server)) == {"stable_token"}


def test_a_token_that_takes_too_long_is_a_definite_refusal() -> None:
    with wechat(lambda seen: Stall()) as (channel, server, _):
        outcome = channel.send(channel.compose(a_message("wechat", "template")), 0.3)
        assert isinstance(outcome, Rejected)
        assert outcome.failure is Failure.PROVIDER_ERROR
        assert paths(server) == ["stable_token"]
