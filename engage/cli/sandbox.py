"""`engage sandbox`: WeChat, an SMS gateway and a mail server on this machine, under the real clock, with phones to use.

Nobody lives in it but visitors: open the page, take a phone, follow the account. The demo has a whole population.
"""

from __future__ import annotations

import random
import signal
import socket
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from engage.cli.ending import Ending, Refusal
from engage.cli.invocation import Invocation
from engage.clock import Clock, SystemClock
from engage.config import Config, Email, Sms, WeChat
from engage.content.project import Project, project_files, read_project
from engage.errors import ConfigError
from engage.sandbox.model import Act, Handover, Person, Phone, Planned, Reaction, SandboxSettings
from engage.sandbox.phone import Controls, JourneyLine, phone_app
from engage.sandbox.world import Ports, World
from engage.web.server import Server

FOLDER = "sandbox"
_EVERY_SECONDS = 0.2
_LOOPBACK = frozenset({"127.0.0.1", "localhost"})
_SEED = 1  # only names the tokens that the simulators give out


def sandbox(
    ctx: typer.Context,
    phone_port: Annotated[int, typer.Option("--phone-port", help="Where the phone page listens.")] = 8090,
) -> None:
    """Local WeChat, SMS and mail, with the follower's phone.

    Real servers on this machine that speak the providers' wire formats, on the ports that config.yaml gives in
    `channels.*.base_url` and `channels.email.port`. Together with `engage run` everything works without an account
    anywhere. Open the phone page, take a phone, follow the account, and see what the journeys do. Ctrl-C ends it.

    What reached a phone is kept in sandbox/truth, and is there again next time.

    Example:  engage sandbox

    Exit codes: 0 ended by a signal · 1 the project has errors · 3 config.yaml names other servers than this machine's ·
    4 a port is taken
    """
    inv = Invocation.of(ctx)
    ports = _ports(inv.config)
    _refuse_taken(inv, ports, phone_port)
    project = _project(inv)
    clock = SystemClock()
    world = World(
        inv.folder / FOLDER,
        clock,
        _SEED,
        _settings(inv.config),
        people=(),
        behaviour=_Nobody(),
        script=(),
        sms_texts=_ApprovedTexts(inv.folder, project),
        ports=ports,
    )
    page = Server(phone_app(world, _RealTime(clock), project.catalog.brand.name), "127.0.0.1", phone_port)
    world.start()
    page.start()
    inv.screen.say(f"The phones are at {page.url}. Ctrl-C ends it.", f"手机页面：{page.url}。按 Ctrl-C 结束。", "green")
    try:
        _tick_until_stopped(world)
    finally:
        page.stop()
        world.stop()


def _tick_until_stopped(world: World) -> None:
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    while not stop.wait(_EVERY_SECONDS):
        world.tick()


def _project(inv: Invocation) -> Project:
    project, problems = read_project(project_files(inv.folder)[0])
    if project is None:
        count = len(problems)
        raise Refusal(
            inv.screen.word(
                f"the project has {count} problems; `engage check` shows them",
                f"项目里有 {count} 个问题；用 `engage check` 查看",
            ),
            Ending.NO,
        )
    return project


class _ApprovedTexts:
    """What the SMS provider holds: every text that the project's files have had under its code, the newest of each.
    Files are read again when one of them changes; a project with errors is left until it has none."""

    def __init__(self, folder: Path, project: Project) -> None:
        self._folder = folder
        self._sources = project.sources
        self._texts = project.library.approved_sms()
        self._lock = threading.Lock()

    def __call__(self) -> dict[str, str]:
        with self._lock:
            sources, _ = project_files(self._folder)
            if sources != self._sources:
                self._sources = sources
                project, _ = read_project(sources)
                self._texts |= project.library.approved_sms() if project is not None else {}
            return self._texts.copy()


# --- ports ------------------------------------------------------------------------------------------------------


def _refuse_taken(inv: Invocation, ports: Ports, phone: int) -> None:
    """Each port is held while the others are tried, so that one named twice is found too."""
    wanted = {
        "channels.wechat.base_url": ports.wechat,
        "channels.sms.base_url": ports.sms,
        "channels.email.port": ports.smtp,
        "--phone-port": phone,
    }
    with ExitStack() as held:
        for key, port in wanted.items():
            try:
                held.enter_context(socket.create_server(("127.0.0.1", port)))
            except OSError as error:
                raise _no_port(inv, key, port, error) from error


def _no_port(inv: Invocation, key: str, port: int, error: OSError) -> Refusal:
    return Refusal(
        inv.screen.word(
            f"cannot listen on 127.0.0.1:{port} ({error.strerror}); set {key} to a free port",
            f"无法监听 127.0.0.1:{port}（{error.strerror}）；请把 {key} 改成空闲的端口",
        )
    )


# --- settings ---------------------------------------------------------------------------------------------------


def _channels(config: Config) -> tuple[WeChat, Sms, Email]:
    wechat, sms, email = config.channels.wechat, config.channels.sms, config.channels.email
    if wechat is None or sms is None or email is None:
        raise ConfigError(
            "the sandbox stands in for wechat, sms and email; config.yaml must have all three channels",
            "沙盒代替微信、短信和邮件；config.yaml 里三个渠道都要有",
        )
    return wechat, sms, email


def _ports(config: Config) -> Ports:
    wechat, sms, email = _channels(config)
    if email.host not in _LOOPBACK:
        raise _foreign("email.host", email.host, "127.0.0.1, with port: 8093 and security: none")
    return Ports(
        wechat=_port("wechat.base_url", wechat.base_url, 8091),
        sms=_port("sms.base_url", sms.base_url, 8092),
        smtp=email.port,
    )


def _port(key: str, url: str, usual: int) -> int:
    parts = urlsplit(url)
    if parts.scheme != "http" or parts.hostname not in _LOOPBACK or parts.port is None:
        raise _foreign(key, url, f"http://127.0.0.1:{usual}")
    return parts.port


def _foreign(key: str, value: str, local: str) -> ConfigError:
    return ConfigError(
        f"channels.{key} is {value}; the sandbox stands in for servers on this machine only: {local}",
        f"channels.{key} 是 {value}；沙盒只能代替本机上的服务器：{local}",
    )


def _settings(config: Config) -> SandboxSettings:
    wechat, sms, email = _channels(config)
    return SandboxSettings(
        engine_url=config.web.public_url,
        app_id=wechat.app_id,
        app_secret=wechat.app_secret.get_secret_value(),
        account=wechat.account,
        callback_token=wechat.callback_token.get_secret_value(),
        encoding_aes_key=wechat.encoding_aes_key.get_secret_value(),
        sms_access_key_id=sms.access_key_id,
        sms_access_key_secret=sms.access_key_secret.get_secret_value(),
        sms_callback_secret=sms.callback_secret.get_secret_value(),
        email_callback_secret=email.callback_secret.get_secret_value(),
        api_key=next((key.get_secret_value() for key in config.web.api_keys.values()), ""),
        faults=False,
    )


# --- who lives here ---------------------------------------------------------------------------------------------


class _Nobody:
    """Phones do only what visitors do with them."""

    def reactions(self, phone: Phone, handover: Handover, rng: random.Random) -> Sequence[Reaction]:
        return ()

    def consequences(self, person: Person, act: Act, at: datetime, rng: random.Random) -> Sequence[Reaction]:
        return ()

    def still_makes_sense(self, phone: Phone, planned: Planned) -> bool:
        return True


class _RealTime(Controls):
    """Time cannot be pushed here, and the engine is another process: the page shows no panel of journeys."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def now(self) -> datetime:
        return self._clock.now()

    def forward(self, period: timedelta) -> None:
        return

    def journeys(self, key: str) -> Sequence[JourneyLine] | None:
        return None
