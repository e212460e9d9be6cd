"""The only list of channels. A new channel is a folder beside the others and its lines here."""

from __future__ import annotations

from functools import partial

from engage.channels.contract import CallbackSource, Channel
from engage.channels.email.address import Envelopes
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
from engage.config import Config, Email


def build_channels(config: Config, clock: Clock) -> dict[str, Channel]:
    """The configured channels by name. Opens no connection; raises ConfigError for settings that cannot be used."""
    configured = config.channels
    channels: list[Channel] = []
    if configured.wechat:
        channels.append(WeChatChannel(configured.wechat, clock))
    if configured.sms:
        channels.append(SmsChannel(configured.sms, clock))
    if configured.email:
        channels.append(EmailChannel(configured.email, _envelopes(config, configured.email)))
    return {channel.name: channel for channel in channels}


def build_sources(config: Config) -> dict[str, CallbackSource]:
    """Who may call back, by the name in the callback path."""
    configured = config.channels
    sources: list[CallbackSource] = []
    if configured.wechat:
        sources.append(WeChatCallbacks(configured.wechat))
    if configured.sms:
        sources.append(AliyunCallbacks(configured.sms))
    if configured.email:
        sources.append(MailCallbacks(configured.email, _envelopes(config, configured.email)))
    return {source.name: source for source in sources}


def build_probes(config: Config, clock: Clock) -> dict[str, Probe]:
    """How each configured channel is tried without sending anything."""
    configured = config.channels
    probes: dict[str, Probe] = {}
    if configured.wechat:
        probes["wechat"] = partial(probe_wechat, configured.wechat)
    if configured.sms:
        probes["sms"] = partial(probe_sms, configured.sms, clock)
    if configured.email:
        probes["email"] = partial(probe_email, configured.email)
    return probes


def _envelopes(config: Config, email: Email) -> Envelopes:
    return Envelopes(email.bounce_domain, config.web.signing_key.get_secret_value())
