"""A world that is killed and made again over its truth log is the same world."""

from __future__ import annotations

import json
import random
import smtplib
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sandbox_bench import CHEN, LIN, START, WANG, Bench, MakeBench, Told

from engage.sandbox.model import Act, Follow, Handover, OpenLink, Person, Phone, Planned, Reaction, ShopEvent, Type
from engage.sandbox.world import World

OPENID = LIN.openid or ""
SCRIPT = [
    Planned(START + timedelta(hours=hour), f"order-{hour}", ShopEvent(LIN.key, "order_paid", {"n": hour}, f"o{hour}"))
    for hour in range(1, 30, 4)
] + [Planned(START + timedelta(minutes=90), "follow", Follow(CHEN.openid or "", scene="shop-1"))]


class Lively(Told):
    """Answers most things, clicks some, buys now and then: by the stream each call is given, and by nothing else."""

    def reactions(self, phone: Phone, handover: Handover, rng: random.Random) -> Sequence[Reaction]:
        after = timedelta(seconds=rng.randint(30, 7200))
        if handover.channel == "wechat" and phone.following:
            words = f"{rng.randint(0, 10)} {len(phone.received)}"
            return [Reaction(after, "answer", Type("wechat", handover.address, words, about=handover.id))]
        return [Reaction(after, "click", OpenLink(handover.channel, handover.address, "https://shop.example/"))]

    def consequences(self, person: Person, act: Act, at: Any, rng: random.Random) -> Sequence[Reaction]:
        if person.ref is None or isinstance(act, ShopEvent) or rng.random() < 0.5:
            return ()
        order = ShopEvent(person.key, "order_paid", {}, f"{person.key}-{at.isoformat()}")
        return [Reaction(timedelta(hours=rng.randint(1, 50)), "buys", order)]


def live(bench: Bench) -> None:
    """A busy morning on all channels."""
    bench.world.act(Type("wechat", OPENID, "在吗"))
    bench.say(OPENID, "在的")
    bench.notify(OPENID, "k1", thing1="已发货")
    bench.text_message()
    bench.text_message(WANG.phone or "")
    with smtplib.SMTP(bench.world.smtp_host, bench.world.smtp_port, timeout=5) as client:
        client.sendmail("b+1@example.com", [LIN.email or ""], b"Subject: hi\r\n\r\nhttps://shop.example/\r\n")
    bench.go_on(timedelta(hours=3))
    bench.say(OPENID, "还在吗")
    bench.text_message(WANG.phone or "", "SMS_2")


def seen(world: World) -> dict[str, Any]:
    """Everything that can be told from outside."""
    return {
        person.key: (
            person,
            world.phone(person.key),
            [world.chat(person.key, channel) for channel in ("wechat", "sms", "email")],
            world.reply_window(person.key),
        )
        for person in world.people()
    }


def truth(bench: Bench) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted((bench.folder / "truth").iterdir())}


def test_a_killed_world_comes_back_as_it_was(make_bench: MakeBench) -> None:
    first = make_bench(Lively(), SCRIPT)
    live(first)
    then = first.clock.now()
    second = make_bench(Lively(), SCRIPT, at=then)
    assert seen(second.world) == seen(first.world)
    assert truth(second) == truth(first)
    assert second.world._chronicle.account.followers() == first.world._chronicle.account.followers()
    plans = [entry for entry in second.world._chronicle.agenda.entries() if entry[0] > then]
    assert plans == list(first.world._chronicle.agenda.entries())
    assert len(plans) > 5
    overdue = [key for at, key in second.world._chronicle.agenda.entries() if at <= then]
    assert all(key.endswith("#1") for key in overdue)  # nothing but what is told again


def test_it_goes_on_as_if_nothing_had_been(make_bench: MakeBench) -> None:
    """The rest of the story is the same, killed or not; nothing is done twice."""
    whole = make_bench(Lively(), SCRIPT)
    live(whole)
    whole.go_on(timedelta(days=3))
    killed = make_bench(Lively(), SCRIPT, folder=whole.folder / "killed")
    live(killed)
    resumed = make_bench(Lively(), SCRIPT, folder=killed.folder, at=killed.clock.now())
    resumed.go_on(timedelta(days=3))
    assert truth(resumed) == truth(whole)
    keys = [json.loads(line)["key"] for log in truth(resumed).values() for line in log.splitlines() if '"key"' in line]
    assert len(keys) == len(set(keys))


def test_the_last_minute_is_told_again_and_nothing_older(make_bench: MakeBench) -> None:
    first = make_bench()
    first.world.act(Type("wechat", OPENID, "早"))
    first.clock.advance_to(START + timedelta(minutes=4, seconds=30))
    first.world.act(Type("wechat", OPENID, "在吗"))
    first.clock.advance_to(START + timedelta(minutes=5))
    first.world.act(Type("wechat", OPENID, "有人吗"))
    first.text_message()  # its report is still to come
    first.engine.requests.clear()
    second = make_bench(at=first.clock.now())
    second.world.tick()
    assert [message.content for message in second.told()] == ["在吗", "有人吗"]
    second.go_on(timedelta(minutes=1))
    (report,) = second.engine.at("/callbacks/aliyun_sms")
    assert json.loads(report.body)[0]["err_code"] == "DELIVERED"


def test_what_was_due_while_nobody_was_there_is_made_good(make_bench: MakeBench) -> None:
    """Under the real clock the world may come back hours later."""
    first = make_bench(script=SCRIPT)
    first.text_message()
    second = make_bench(script=SCRIPT, at=START + timedelta(hours=2))
    second.world.tick()
    assert len(second.engine.at("/callbacks/aliyun_sms")) == 1
    assert len(second.engine.at("/api/events")) == 1
    assert [message.event for message in second.told()] == ["subscribe_scan"]


def test_words_that_made_no_sense_before_the_kill_are_not_typed_after_it(make_bench: MakeBench) -> None:
    answer = Reaction(timedelta(minutes=3), "answer", Type("wechat", OPENID, "9"))
    first = make_bench(Told(lambda phone, handover, rng: [answer], sensible=lambda phone, planned: False))
    first.notify(OPENID, "k1", thing1="已发货")
    first.go_on(timedelta(minutes=10))
    first.world.act(OpenLink("wechat", OPENID, "https://shop.example/"))
    second = make_bench(Told(lambda phone, handover, rng: [answer]), at=first.clock.now())
    second.go_on(timedelta(hours=1))
    assert not any(message.type == "text" for message in second.told())


def test_a_dedupe_window_survives(make_bench: MakeBench) -> None:
    first = make_bench()
    answer = first.notify(OPENID, "k1", thing1="已发货")
    second = make_bench(at=START + timedelta(minutes=9))
    assert second.notify(OPENID, "k1", thing1="已发货") == answer
    assert len(second.world.phone(LIN.key).received) == 1


def test_a_line_cut_off_in_the_middle_is_dropped_and_overwritten(make_bench: MakeBench) -> None:
    first = make_bench()
    first.world.act(Type("wechat", OPENID, "一"))
    first.world.act(Type("wechat", OPENID, "二"))
    log = first.folder / "truth" / "wechat.jsonl"
    whole = log.read_bytes()
    log.write_bytes(whole[:-20])
    second = make_bench(at=START + timedelta(seconds=1))
    assert [item.text for item in second.world.chat(LIN.key, "wechat")] == ["一"]
    second.world.act(Type("wechat", OPENID, "三"))
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [(line["seq"], line["text"]) for line in lines] == [(1, "一"), (2, "三")]


def test_one_seed_one_truth(make_bench: MakeBench) -> None:
    worlds = [make_bench(Lively(), SCRIPT)]
    worlds.append(make_bench(Lively(), SCRIPT, folder=worlds[0].folder / "again"))
    worlds.append(make_bench(Lively(), SCRIPT, folder=worlds[0].folder / "other seed", seed=8))
    for bench in worlds:
        live(bench)
        bench.go_on(timedelta(days=3))
    assert truth(worlds[0]) == truth(worlds[1])
    assert truth(worlds[0]) != truth(worlds[2])
