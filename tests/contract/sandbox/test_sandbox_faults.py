"""Providers that refuse, stall or lose an answer: what a client sees, and what the truth log says."""

from __future__ import annotations

import smtplib
from collections import Counter

import httpx
import pytest
from sandbox_bench import LIN, Bench, MakeBench

from engage.sandbox.chance import Chance
from engage.sandbox.faults import Fault, Faults
from engage.sandbox.model import ChannelName, Type

OPENID = LIN.openid or ""


def seed_where(channel: ChannelName, address: str, fault: Fault) -> int:
    """A seed by which the address's first message meets this fault, its second try nothing, and nobody blocks."""
    for seed in range(20_000):
        faults = Faults(Chance(seed), enabled=True)
        meets = [faults.of_next_try(channel, address, 0), faults.of_next_try(channel, address, 0)]
        if meets == [fault, Fault.NONE] and not faults.blocks_account(address):
            return seed
    raise AssertionError(f"no seed gives {fault}")


def handed_over(bench: Bench) -> int:
    return len(bench.world.phone(LIN.key).received)


def test_about_one_call_in_seventy_meets_a_fault_of_each_kind() -> None:
    faults = Faults(Chance(7), enabled=True)
    met = Counter(faults.of_next_try("sms", str(address), 0) for address in range(20_000))
    assert set(met) == set(Fault)
    assert 0.01 < 1 - met[Fault.NONE] / 20_000 < 0.02


def test_a_fault_depends_on_the_try_and_not_on_the_order_of_calls() -> None:
    one, other = Faults(Chance(7), enabled=True), Faults(Chance(7), enabled=True)
    addresses = [str(address) for address in range(500)]
    met = {(address, n): one.of_next_try("sms", address, 0) for address in addresses for n in range(2)}
    for n in range(2):
        for address in reversed(addresses):
            assert other.of_next_try("sms", address, 0) == met[address, n]


def test_no_faults_when_switched_off() -> None:
    faults = Faults(Chance(7), enabled=False)
    assert {faults.of_next_try("sms", str(address), 0) for address in range(2_000)} == {Fault.NONE}
    assert not any(faults.blocks_account(str(address)) for address in range(2_000))


@pytest.mark.parametrize(("fault", "code"), [(Fault.THROTTLED, 45011), (Fault.SYSTEM_ERROR, -1)])
def test_wechat_refuses_once(make_bench: MakeBench, fault: Fault, code: int) -> None:
    bench = make_bench(seed=seed_where("wechat", OPENID, fault), faults=True)
    bench.world.act(Type("wechat", OPENID, "在吗"))
    assert bench.say(OPENID, "在的")["errcode"] == code
    assert handed_over(bench) == 0
    assert bench.say(OPENID, "在的")["errcode"] == 0


@pytest.mark.parametrize(("fault", "accepted"), [(Fault.HUNG_UP_BEFORE, 0), (Fault.HUNG_UP_AFTER, 1)])
def test_http_providers_hang_up(make_bench: MakeBench, fault: Fault, accepted: int) -> None:
    """The client cannot tell the two apart; the truth log can."""
    bench = make_bench(seed=seed_where("wechat", OPENID, fault), faults=True)
    bench.world.act(Type("wechat", OPENID, "在吗"))
    with pytest.raises(httpx.RemoteProtocolError):
        bench.say(OPENID, "在的")
    assert handed_over(bench) == accepted
    bench = make_bench(seed=seed_where("sms", LIN.phone or "", fault), faults=True, folder=bench.folder / "sms")
    with pytest.raises(httpx.RemoteProtocolError):
        bench.text_message()
    assert handed_over(bench) == accepted


def test_sms_gateway_refuses_once(make_bench: MakeBench) -> None:
    bench = make_bench(seed=seed_where("sms", LIN.phone or "", Fault.THROTTLED), faults=True)
    codes = [bench.text_message()["Code"] for _ in range(2)]
    assert codes == ["isv.BUSINESS_LIMIT_CONTROL", "OK"]
    assert handed_over(bench) == 1


@pytest.mark.parametrize(("fault", "code"), [(Fault.THROTTLED, 450), (Fault.SYSTEM_ERROR, 451)])
def test_mail_server_refuses_once(make_bench: MakeBench, fault: Fault, code: int) -> None:
    bench = make_bench(seed=seed_where("email", LIN.email or "", fault), faults=True)
    with smtplib.SMTP(bench.world.smtp_host, bench.world.smtp_port, timeout=5) as client:
        with pytest.raises(smtplib.SMTPDataError) as refused:
            client.sendmail("b+1@example.com", [LIN.email or ""], b"Subject: hi\r\n\r\nhi\r\n")
        assert refused.value.smtp_code == code
        client.sendmail("b+1@example.com", [LIN.email or ""], b"Subject: hi\r\n\r\nhi\r\n")
    assert handed_over(bench) == 1


@pytest.mark.parametrize(("fault", "accepted"), [(Fault.HUNG_UP_BEFORE, 0), (Fault.HUNG_UP_AFTER, 1)])
def test_mail_server_hangs_up_after_the_final_dot(
    make_bench: MakeBench, caplog: pytest.LogCaptureFixture, fault: Fault, accepted: int
) -> None:
    bench = make_bench(seed=seed_where("email", LIN.email or "", fault), faults=True)
    client = smtplib.SMTP(bench.world.smtp_host, bench.world.smtp_port, timeout=5)
    with pytest.raises(smtplib.SMTPServerDisconnected):
        client.sendmail("b+1@example.com", [LIN.email or ""], b"Subject: hi\r\n\r\nhi\r\n")
    assert handed_over(bench) == accepted
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


def test_some_followers_have_switched_messages_off(make_bench: MakeBench) -> None:
    """Customer-service messages are refused; a template message is taken, and its finish event tells."""
    seed = next(seed for seed in range(5_000) if Faults(Chance(seed), enabled=True).blocks_account(OPENID))
    bench = make_bench(seed=seed, faults=True)
    bench.world.act(Type("wechat", OPENID, "在吗"))
    assert bench.say(OPENID, "在的")["errcode"] == 48002
    assert bench.notify(OPENID, "k1", thing1="已发货")["errcode"] == 0
    while (due := bench.world.next_due()) is not None:
        bench.clock.advance_to(due)
        bench.world.tick()
    assert bench.told()[-1].status == "failed:user block"
    assert handed_over(bench) == 0
