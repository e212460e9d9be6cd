"""The only list of channels. A new channel is a folder beside the others and its lines here."""

from __future__ import annotations

from engage.channels.contract import CallbackSource, Channel
from engage.channels.email.channel import EmailChannel
from engage.channels.email.inbound import MailCallbacks
from engage.channels.sms.channel import SmsChannel
from engage.channels.sms.inbound import AliyunCallbacks
from engage.channels.wechat.channel import WeChatChannel
from engage.channels.wechat.inbound import WeChatCallbacks
from engage.clock import Clock
from engage.config import Channels


def build_channels(config: Channels, clock: Clock) -> dict[str, Channel]:
    """The configured channels by name. Opens no connection; raises ConfigError for settings that cannot be used."""
    channels: list[Channel] = []
    if config.wechat:
        channels.append(WeChatChannel(config.wechat, clock))
    if config.sms:
        channels.append(SmsChannel(config.sms, clock))
    if config.email:
        channels.append(EmailChannel(config.email))
    return {channel.name: channel for channel in channels}


def build_sources(config: Channels) -> dict[str, CallbackSource]:
    """Who may call back, by the name in the callback path."""
    sources: list[CallbackSource] = []
    if config.wechat:
        sources.append(WeChatCallbacks(config.wechat))
    if config.sms:
        sources.append(AliyunCallbacks(config.sms))
    if config.email:
        sources.append(MailCallbacks(config.email))
    return {source.name: source for source in sources}
