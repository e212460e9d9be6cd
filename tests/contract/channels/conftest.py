"""Fixtures over the rigs of `channel_rigs`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from channel_rigs import EMAIL, NOW, RIGS, SMS, WECHAT, OneChannel, Rig, a_message, build_rig, one_channel
from channel_servers import closed_port

from engage.channels.contract import Payload
from engage.clock import VirtualClock


@pytest.fixture(params=RIGS)
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    with ExitStack() as stack:
        yield build_rig(request.param, stack)


@pytest.fixture(params=RIGS[:3])
def http_rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    with ExitStack() as stack:
        yield build_rig(request.param, stack)


@pytest.fixture(params=RIGS[2:])
def addressed_rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    """Channels whose addresses have a form that can be checked. Nothing but WeChat knows its openids."""
    with ExitStack() as stack:
        yield build_rig(request.param, stack)


@pytest.fixture
def wechat_rig() -> Iterator[Rig]:
    with ExitStack() as stack:
        yield build_rig("wechat-template", stack)


@pytest.fixture
def sms_rig() -> Iterator[Rig]:
    with ExitStack() as stack:
        yield build_rig("sms", stack)


@pytest.fixture(params=RIGS[3:])
def email_rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    with ExitStack() as stack:
        yield build_rig(request.param, stack)


@pytest.fixture(params=["wechat", "sms", "email"])
def unreachable(request: pytest.FixtureRequest) -> Iterator[tuple[OneChannel, Payload]]:
    """A channel whose provider does not listen."""
    port = closed_port()
    sections = {
        "wechat": WECHAT | {"base_url": f"http://127.0.0.1:{port}"},
        "sms": SMS | {"base_url": f"http://127.0.0.1:{port}"},
        "email": EMAIL | {"port": port},
    }
    name = request.param
    channel = one_channel(name, sections[name], VirtualClock(NOW))
    mode = {"wechat": "template", "sms": "sms", "email": "email"}[name]
    yield channel, channel.compose(a_message(name, mode))
    channel.close()
