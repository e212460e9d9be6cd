"""What people do about messages: all that people do occurs, most do nothing, and the same world does the same."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from engage.core.journey.model import Survey
from engage.core.reply import OpenQuestion, ScoreGiven, interpret
from engage.sandbox.behaviour import Followers
from engage.sandbox.chance import Chance
from engage.sandbox.habits import bought_before
from engage.sandbox.hours import ZONE
from engage.sandbox.model import (
    Act,
    ChannelName,
    FillSurvey,
    Follow,
    Handover,
    Link,
    OneClickUnsubscribe,
    OpenLink,
    Person,
    Phone,
    Planned,
    Reaction,
    Register,
    ShopEvent,
    TapMenu,
    Type,
    Unfollow,
)
from engage.sandbox.phrases import REFUSALS, SMALL_TALK
from engage.sandbox.population import make_people
from engage.sandbox.reading import typed_score

START = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
AT = datetime(2026, 12, 1, 2, 0, tzinfo=UTC)  # ten in the morning in Shanghai
SEED = 7
CROWD = make_people(1200, SEED, START)
FOLLOWERS = Followers(frozenset(person.key for person in CROWD), SEED, START)

NPS = "您有多大可能推荐给朋友或同事？0=完全不会，10=非常愿意\n直接回复 0-10 的数字就好。"
NPS_SMS = "【山野茶事】您有多大可能推荐给朋友？请直接回复0-10的数字。拒收请回复R"
CSAT = "收到茶一周了，喝着还满意吗？请回复 1-5 分（5=非常满意）"
PROMPT = "收到，谢谢您。我们怎样能做得更好？\n直接回复就好，一句话也行；不方便写也没关系。"
WELCOME = "您好，这里是山野茶事。\n回复【1】领一份 5 泡试饮装，回复【2】看这季新茶。"
STORY = "好久没见您来喝茶。老枞出来了，想第一个告诉您：http://e/c/story"
GIFT_SMS = "【山野茶事】为您留了一份老枞小样，到店报手机号即可领取，本月有效。拒收请回复R"
PROMOTER = "谢谢您的 9 分。\n① 把茶送给一位朋友：http://e/c/refer\n② 加入“茶友顾问团”：http://e/c/panel"
SORRY = "您的评价我们看到了，非常抱歉。客服小组会在 24 小时内打给您。直接在这里回复就好。"
BIRTHDAY = "生日快乐。今天到任意门店，都有一碗长寿面和一杯岩茶等您。"
GOODBYE = "已为您退订活动、问卷和祝福短信。"

T = TypeVar("T", bound=Act)


def message(
    person: Person,
    channel: ChannelName,
    text: str,
    *,
    links: tuple[Link, ...] = (),
    menu: tuple[tuple[str, str], ...] = (),
    at: datetime = AT,
    name: str = "1",
    reached: bool = True,
) -> Handover:
    address = person.address(channel)
    assert address is not None
    return Handover(
        id=f"{channel}:{address}:{name}",
        channel=channel,
        at=at,
        address=address,
        payload={},
        text=text,
        links=links,
        menu=menu,
        unsubscribe_url="http://e/u/t" if channel == "email" else None,
        reached=reached,
    )


def react(person: Person, *received: Handover) -> Sequence[Reaction]:
    phone = Phone(person, received, following=True)
    return FOLLOWERS.reactions(phone, received[-1], Chance(SEED).stream("reactions", received[-1].id))


def on(channel: ChannelName) -> list[Person]:
    return [person for person in CROWD if person.address(channel)]


def all_react(
    channel: ChannelName, text: str, links: tuple[Link, ...] = (), menu: tuple[tuple[str, str], ...] = ()
) -> list[Reaction]:
    sent = [(person, message(person, channel, text, links=links, menu=menu)) for person in on(channel)]
    return [reaction for person, handover in sent for reaction in react(person, handover)]


def acts(reactions: Iterable[Reaction], kind: type[T]) -> list[T]:
    return [reaction.act for reaction in reactions if isinstance(reaction.act, kind)]


def share(part: Sequence[object], channel: ChannelName) -> float:
    return len(part) / len(on(channel))


def buttons() -> tuple[Link, ...]:
    return tuple(Link(f"http://e/s/t?score={n}", str(n)) for n in range(11))


# --- the same world does the same -------------------------------------------------------------------------------


def test_the_same_phone_message_and_stream_give_the_same_reactions() -> None:
    for person in on("wechat")[:200]:
        handover = message(person, "wechat", NPS)
        assert react(person, handover) == react(person, handover)


def test_names_are_unique_among_one_messages_reactions_and_nothing_happens_before_it() -> None:
    for text in (NPS, WELCOME, STORY, GIFT_SMS, PROMOTER, BIRTHDAY):
        for person in on("wechat"):
            reactions = react(person, message(person, "wechat", text, links=(Link("http://e/c/x", "看看"),)))
            assert len({reaction.name for reaction in reactions}) == len(reactions)
            assert all(reaction.after > timedelta() for reaction in reactions)


def test_strangers_act_for_themselves() -> None:
    stranger = Person(key="wechat:o123", name="", ref=None, openid="o123", warmth=1.0, patience=0.0)
    assert react(stranger, message(stranger, "wechat", NPS)) == ()
    assert FOLLOWERS.consequences(stranger, Follow("o123"), AT, Chance(1).stream("x")) == ()


def test_what_bounced_is_not_read() -> None:
    assert not [r for p in on("sms") for r in react(p, message(p, "sms", NPS_SMS, reached=False))]


# --- questions --------------------------------------------------------------------------------------------------


def test_an_nps_question_in_the_chat_gets_digits_that_the_engine_understands() -> None:
    typed = [act for act in acts(all_react("wechat", NPS), Type) if typed_score(act.text) is not None]
    assert 0.3 < share(typed, "wechat") < 0.65
    for act in typed:
        question = OpenQuestion(1, Survey.NPS, AT)
        meaning = interpret(act.text, [question], [], AT)
        assert isinstance(meaning, ScoreGiven), act.text
        assert meaning.score == typed_score(act.text)
        assert act.about is not None
    assert any(act.text.endswith("分") for act in typed)
    assert any(not act.text.isascii() and act.text.isdecimal() for act in typed)  # １０
    assert any(" " in act.text for act in typed)  # 3 包装破了


def test_promoters_passives_and_detractors_all_occur() -> None:
    scores = [typed_score(act.text) for act in acts(all_react("wechat", NPS), Type)]
    given = [score for score in scores if score is not None]
    assert all(0 <= score <= 10 for score in given)
    assert sum(score >= 9 for score in given) > len(given) * 0.25
    assert sum(7 <= score <= 8 for score in given) > len(given) * 0.15
    assert sum(score <= 6 for score in given) > len(given) * 0.08


def test_the_warm_give_more_than_the_cold() -> None:
    warm = [FOLLOWERS.mood(p, message(p, "wechat", NPS)) for p in on("wechat") if p.warmth > 0.8]
    cold = [FOLLOWERS.mood(p, message(p, "wechat", NPS)) for p in on("wechat") if p.warmth < 0.4]
    assert sum(warm) / len(warm) > sum(cold) / len(cold) + 0.2


def test_answers_come_after_minutes_or_hours_by_day_and_before_any_reminder() -> None:
    answers = [r for r in all_react("sms", NPS_SMS) if isinstance(r.act, Type) and typed_score(r.act.text) is not None]
    assert 0.08 < share(answers, "sms") < 0.3
    assert min(r.after for r in answers) < timedelta(minutes=15)
    assert max(r.after for r in answers) > timedelta(hours=4)
    for reaction in answers:
        assert timedelta(minutes=1) <= reaction.after < timedelta(hours=46)
        assert 7 <= (AT + reaction.after).astimezone(ZONE).hour <= 23


def test_a_mail_survey_is_filled_in_through_the_link_of_the_score() -> None:
    filled = acts(all_react("email", NPS, links=buttons()), FillSurvey)
    assert 0.08 < share(filled, "email") < 0.3
    assert all(act.url.endswith(f"?score={act.score}") for act in filled)
    assert 0.2 < sum(act.comment is not None for act in filled) / len(filled) < 0.7


def test_a_menu_is_tapped_on_the_score_that_is_meant() -> None:
    menu = tuple((f"csat{n}", f"{n} 分") for n in range(5, 0, -1))
    tapped = acts(all_react("wechat", CSAT, menu=menu), TapMenu)
    assert 0.3 < share(tapped, "wechat") < 0.65
    assert all(f"{act.item.removeprefix('csat')} 分" == act.words for act in tapped)
    assert len({act.item for act in tapped}) >= 4


def test_some_take_the_page_in_the_chat_too() -> None:
    filled = acts(all_react("wechat", NPS, links=(Link("http://e/s/t", "http://e/s/t"),)), FillSurvey)
    assert 0.03 < share(filled, "wechat") < 0.2
    assert all(act.url == "http://e/s/t" and act.score is not None for act in filled)


def test_after_the_score_most_say_why_within_minutes_some_later_some_never() -> None:
    comments = []
    for person in on("wechat"):
        question = message(person, "wechat", NPS, name="1")
        prompt = message(person, "wechat", PROMPT, name="2", at=AT + timedelta(minutes=5))
        comments += [r for r in react(person, question, prompt) if r.name == "comment"]
    assert 0.5 < share(comments, "wechat") < 0.85
    quick = [r for r in comments if r.after <= timedelta(minutes=8)]
    assert 0.75 < len(quick) / len(comments) < 0.97
    assert all(isinstance(r.act, Type) and typed_score(r.act.text) is None for r in comments)


def test_an_open_question_that_follows_no_score_gets_no_comment() -> None:
    assert not [r for r in all_react("wechat", PROMPT) if r.name == "comment"]


# --- when a plan no longer makes sense --------------------------------------------------------------------------


def digit(person: Person, handover: Handover) -> Planned:
    act = Type(handover.channel, handover.address, "9", about=handover.id)
    return Planned(AT + timedelta(hours=3), "k", act)


def test_a_digit_is_typed_while_its_question_is_the_newest_to_take_one() -> None:
    person = on("wechat")[0]
    question = message(person, "wechat", NPS, name="1")
    news = message(person, "wechat", STORY, name="2")
    assert FOLLOWERS.still_makes_sense(Phone(person, (question,), True), digit(person, question))
    assert FOLLOWERS.still_makes_sense(Phone(person, (question, news), True), digit(person, question))


def test_a_newer_question_or_digit_menu_takes_the_digit_away() -> None:
    person = on("wechat")[0]
    question = message(person, "wechat", NPS, name="1")
    for later in (message(person, "wechat", CSAT, name="2"), message(person, "wechat", WELCOME, name="2")):
        assert not FOLLOWERS.still_makes_sense(Phone(person, (question, later), True), digit(person, question))
        assert FOLLOWERS.still_makes_sense(Phone(person, (question, later), True), digit(person, later))


def test_a_reminder_on_another_channel_is_the_one_that_gets_the_answer() -> None:
    person = next(p for p in CROWD if p.openid and p.phone)
    question = message(person, "wechat", NPS)
    reminder = message(person, "sms", NPS_SMS)
    menu_elsewhere = message(person, "sms", WELCOME)
    assert not FOLLOWERS.still_makes_sense(Phone(person, (question, reminder), True), digit(person, question))
    assert FOLLOWERS.still_makes_sense(Phone(person, (question, menu_elsewhere), True), digit(person, question))


def test_a_chat_that_was_left_takes_no_words_but_the_sms_thread_does() -> None:
    person = next(p for p in CROWD if p.openid and p.phone)
    chat, text = message(person, "wechat", NPS), message(person, "sms", NPS_SMS)
    assert not FOLLOWERS.still_makes_sense(Phone(person, (chat,), following=False), digit(person, chat))
    assert FOLLOWERS.still_makes_sense(Phone(person, (text,), following=False), digit(person, text))


def test_a_refusal_stands_whatever_comes_after() -> None:
    person = on("sms")[0]
    text, later = message(person, "sms", GIFT_SMS, name="1"), message(person, "sms", NPS_SMS, name="2")
    refusal = Planned(AT, "k", Type("sms", text.address, "退订", about=text.id))
    assert FOLLOWERS.still_makes_sense(Phone(person, (text, later)), refusal)


# --- everything else --------------------------------------------------------------------------------------------


def test_offered_words_are_sent_back_by_some() -> None:
    typed = [r.act for r in all_react("wechat", WELCOME) if r.name == "offer" and isinstance(r.act, Type)]
    assert 0.2 < share(typed, "wechat") < 0.5
    assert {act.text for act in typed} == {"1", "2"}


def test_links_are_opened_sometimes_most_in_the_chat() -> None:
    link = (Link("http://e/c/story", "看看那片茶"), Link("http://e/u/t", "退订"))
    opened = {channel: acts(all_react(channel, STORY, links=link), OpenLink) for channel in ("wechat", "email", "sms")}
    assert 0.25 < share(opened["wechat"], "wechat") < 0.55
    assert share(opened["wechat"], "wechat") > share(opened["email"], "email") > share(opened["sms"], "sms") > 0
    assert all(act.url == "http://e/c/story" for channel in opened.values() for act in channel)


def test_a_gift_brings_coupons_and_orders_within_the_week() -> None:
    reactions = [r for r in all_react("sms", GIFT_SMS) if isinstance(r.act, ShopEvent)]
    used = [r for r in reactions if r.name == "coupon_used"]
    paid = [r for r in reactions if r.name == "order_paid"]
    assert 0.04 < share(used, "sms") < 0.3
    assert 0.3 < len(paid) / len(used) < 0.9
    assert all(r.after < timedelta(days=9) for r in used + paid)
    assert len([r for r in reactions if r.name == "order_delivered"]) == len(paid)
    assert {"code"} == {key for act in acts(used, ShopEvent) for key in act.payload}


def test_shop_events_name_members_and_have_ids_of_their_own() -> None:
    by_key = {person.key: person for person in CROWD}
    events = acts(all_react("wechat", GIFT_SMS, links=(Link("http://e/c/gift", "领取"),)), ShopEvent)
    assert events
    assert all(by_key[event.person].ref is not None for event in events)
    assert len({event.external_id for event in events}) == len(events)


def test_a_first_order_after_a_message_is_reported_as_the_first_and_only_then() -> None:
    firsts = 0
    for person in on("sms"):
        events = acts(react(person, message(person, "sms", GIFT_SMS)), ShopEvent)
        first = [event for event in events if event.event == "first_order_delivered"]
        assert not (first and bought_before(person, SEED, START, AT))
        assert all(event.external_id == f"first_order_delivered:{person.ref}" for event in first)
        firsts += len(first)
    assert firsts


def test_promoters_pass_it_on_or_join() -> None:
    events = {act.event for act in acts(all_react("wechat", PROMOTER), ShopEvent)}
    assert events == {"referral_shared", "panel_joined"}


def test_an_invitation_brings_people_in() -> None:
    came = [act for act in acts(all_react("sms", BIRTHDAY), ShopEvent) if act.event == "store_visited"]
    assert 0.05 < share(came, "sms") < 0.3
    assert all(act.payload["store"] for act in came)


def test_now_and_then_someone_opts_out_in_the_way_of_the_channel() -> None:
    typed_sms = [act for act in acts(all_react("sms", GIFT_SMS), Type) if act.text in REFUSALS]
    assert 0.003 < share(typed_sms, "sms") < 0.03
    chat = all_react("wechat", STORY)
    assert [act for act in acts(chat, Type) if act.text in REFUSALS]
    assert acts(chat, Unfollow)
    by_mail = acts(all_react("email", STORY), OneClickUnsubscribe)
    assert 0.003 < share(by_mail, "email") < 0.03
    assert all(act.url == "http://e/u/t" for act in by_mail)


def test_whoever_opts_out_does_nothing_else_and_nobody_answers_a_farewell() -> None:
    for person in on("sms"):
        reactions = react(person, message(person, "sms", GIFT_SMS))
        if any(r.name == "leave" for r in reactions):
            assert len(reactions) == 1
    assert all_react("sms", GOODBYE) == []


def test_some_write_what_answers_nothing() -> None:
    chat = [act for text in (STORY, BIRTHDAY, NPS) for act in acts(all_react("wechat", text), Type)]
    assert [act for act in chat if typed_score(act.text) is None and act.text not in REFUSALS]
    assert any(act.text in SMALL_TALK for act in chat)
    assert [r for r in all_react("wechat", SORRY) if r.name == "chat"]


def test_most_people_do_nothing_about_most_messages() -> None:
    quiet = [p for p in on("sms") if not react(p, message(p, "sms", GIFT_SMS))]
    assert share(quiet, "sms") > 0.7


# --- consequences -----------------------------------------------------------------------------------------------


def test_new_followers_sometimes_say_hello_and_some_who_left_come_back() -> None:
    said: list[Reaction] = []
    returned: list[Reaction] = []
    for person in on("wechat"):
        assert person.openid is not None
        said += FOLLOWERS.consequences(person, Follow(person.openid), AT, Chance(SEED).stream("f", person.key))
        returned += FOLLOWERS.consequences(person, Unfollow(person.openid), AT, Chance(SEED).stream("u", person.key))
    assert 0.15 < share(said, "wechat") < 0.35
    assert all(isinstance(r.act, Type) and timedelta() < r.after <= timedelta(hours=2) for r in said)
    assert 0.02 < share(returned, "wechat") < 0.2
    assert all(isinstance(r.act, Follow) for r in returned)


def test_other_acts_have_no_consequences_of_their_own() -> None:
    person = on("wechat")[0]
    assert FOLLOWERS.consequences(person, Register(person.key), AT, Chance(1).stream("x")) == ()
