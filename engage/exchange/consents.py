"""The consent column: `marketing:sms+email; survey:all; !lifecycle:wechat`, or simply yes or no.

    topic:channels     granted; channels joined by +, or `all`: every channel this row has an address for
    !topic:channels    refused; so is `topic:no`, on every channel this row has an address for
    yes · 是           granted: every topic that needs a grant, on every channel this row has an address for
    no · 否            the same, refused

Topics go by name or label, channels by name or in Chinese. An empty cell says nothing: what is on file stays.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

from engage.core.catalog import Topic, TopicClass
from engage.core.coerce import plain
from engage.core.problem import Said

Consents = dict[tuple[str, str], bool]

_YES = frozenset({"yes", "y", "true", "1", "是", "同意", "已同意"})
_NO = frozenset({"no", "n", "false", "0", "否", "不同意", "拒绝"})
_ALL = frozenset({"all", "全部", "所有"})
_CHANNELS = {"短信": "sms", "邮件": "email", "邮箱": "email", "微信": "wechat"}
_ITEMS = re.compile(r"[;；\n]+")
_JOINTS = re.compile(r"[+、/,，\s]+")


def read_consents(text: str, topics: Mapping[str, Topic], on_row: Collection[str]) -> Consents | Said:
    """`on_row`: the channels that this row has an address for. Whether a channel exists is for `core.intake` to say."""
    word = plain(text).casefold()
    if word in _YES or word in _NO:
        marketing = [topic.name for topic in topics.values() if topic.topic_class is TopicClass.MARKETING]
        return _each(marketing, on_row, word in _YES)
    consents: Consents = {}
    for item in _ITEMS.split(plain(text)):
        if item.strip():
            read = _item(item.strip(), topics, on_row)
            if isinstance(read, Said):
                return read
            consents |= read
    return consents


def consents_text(consents: Iterable[tuple[str, str, bool]]) -> str:
    """The same column, written: (topic, channel, granted) in the order given."""
    items: dict[str, list[str]] = {}
    for topic, channel, granted in consents:
        items.setdefault(topic if granted else f"!{topic}", []).append(channel)
    return ";".join(f"{topic}:{'+'.join(channels)}" for topic, channels in items.items())


def _item(item: str, topics: Mapping[str, Topic], on_row: Collection[str]) -> Consents | Said:
    name, colon, said = item.removeprefix("!").partition(":")
    topic = _topic(name.strip(), topics)
    word = said.strip().casefold()
    if not colon or not word:
        return _unclear(item)
    if topic is None:
        return _unknown(name.strip(), topics)
    granted = not item.startswith("!") and word not in _NO
    everywhere = word in _ALL or word in _YES or word in _NO
    channels = on_row if everywhere else [_CHANNELS.get(part, part) for part in _JOINTS.split(word) if part]
    return _each([topic], channels, granted)


def _topic(name: str, topics: Mapping[str, Topic]) -> str | None:
    if name in topics:
        return name
    return next((topic.name for topic in topics.values() if topic.label == name), None)


def _each(topics: Iterable[str], channels: Iterable[str], granted: bool) -> Consents:
    return {(topic, channel): granted for topic in topics for channel in channels}


def _unclear(item: str) -> Said:
    return Said(
        f"“{item[:40]}” is not a consent; write marketing:sms+email, marketing:all, or yes",
        f"「{item[:40]}」看不懂；请写成 marketing:sms+email、marketing:all，或者「是」",
    )


def _unknown(name: str, topics: Mapping[str, Topic]) -> Said:
    listed = " · ".join(topics)
    return Said(
        f"there is no topic “{name[:40]}”; topics are: {listed}", f"没有主题「{name[:40]}」；可用的主题：{listed}"
    )
