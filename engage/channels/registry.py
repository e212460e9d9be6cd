"""The only list of channels. A new channel is a folder beside the others and its lines here."""

from __future__ import annotations

from functools import partial

from engage.channels.contract import CallbackSource, Channel
from engage.channels.email.channel import EmailChannel
from engage.channels.email.inbound import MailCallbacks
from engage.channels.email.probe import probe as probe_email
from engage.channels.probe import Probe
from engage.channels.sms.channel import SmsChannel
from engage.channels.sms.inbound import AliyunCallbacks
from engage.channels.sms.probe import probe as probe_sms
from engage.channels.wechat.channel import WeChatChannel
from engage.channels.wechat.inbound import WeChatCallbacks
from engage.channels.wechat.probe import probe as probe_wechat
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


def build_probes(config: Channels, clock: Clock) -> dict[str, Probe]:
    """How each configured channel is tried without sending anything."""
    probes: dict[str, Probe] = {}
    if config.wechat:
        probes["wechat"] = partial(probe_wechat, config.wechat)
    if config.sms:
        probes["sms"] = partial(probe_sms, config.sms, clock)
    if config.email:
        probes["email"] = partial(probe_email, config.email)
    return probes
