"""The journey of the README, by a stranger who has read nothing else.

It is taken out of the README's own text, put into a new project, checked, applied, and run by the real engine against
the local providers until it has done what the README says.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml

from engage.bootstrap import open_database
from engage.clock import VirtualClock
from engage.config import Config, load_config
from engage.content.project import project_files, read_project
from engage.demo.drive import Drive
from engage.sandbox.model import Act, Follow, Handover, Person, Phone, Planned, Reaction, SandboxSettings, Type
from engage.sandbox.world import World
from engage.serving import App, build
from engage.store import state
from engage.store.databases import migrating
from engage.store.insight import export
from tests.ports import free_ports

ROOT = Path(__file__).parents[2]
READMES = ("README.md", "README.zh-CN.md")
SHANGHAI = ZoneInfo("Asia/Shanghai")
NIGHT = datetime(2026, 11, 23, 22, 15, tzinfo=SHANGHAI)
OPENID = "oReader0000000000000000000001"
KEY = f"wechat:{OPENID}"
_FILE = re.compile(r"<!-- file: (\S+) -->\n```\w+\n(.*?)```", re.DOTALL)


class Nobody:
    """Phones do only what the test does with them."""

    def reactions(self, phone: Phone, handover: Handover, rng: Random) -> Sequence[Reaction]:
        return ()

    def consequences(self, person: Person, act: Act, at: datetime, rng: Random) -> Sequence[Reaction]:
        return ()

    def still_makes_sense(self, phone: Phone, planned: Planned) -> bool:
        return True


@dataclass
class Reader:
    """The reader's project, running, and the phone in their hand."""

    app: App
    world: World
    drive: Drive
    clock: VirtualClock

    def follows(self) -> None:
        self._does(Follow(OPENID))

    def types(self, words: str) -> None:
        self._does(Type("wechat", OPENID, words))

    def waits_until(self, local: datetime) -> None:
        self.drive.run_until(local)

    def chat(self) -> list[tuple[str, str]]:
        """What came, and when by the phone's clock."""
        return [(f"{came.at.astimezone(SHANGHAI):%d %H:%M}", came.text) for came in self.world.phone(KEY).received]

    def tasks(self, kind: str) -> list[tuple[str | None, str]]:
        """(team, words) of every task of the kind."""
        with self.app.context.database.read() as connection:
            rows = connection.execute(export.TASKS).mappings().all()
        return [(row["team"], row["words"]) for row in rows if row["kind"] == kind]

    def answers(self) -> list[tuple[str, str, int]]:
        with self.app.context.database.read() as connection:
            rows = connection.execute(export.ANSWERS).mappings().all()
        return [(row["journey"], row["survey"], row["score"]) for row in rows]

    def _does(self, act: Act) -> None:
        assert self.world.act(act).done
        self.drive.run_until(self.clock.now())


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`engage init`, the README's two files, `engage check`, `engage apply`: as the README has it."""
    folder = tmp_path_factory.mktemp("stranger") / "my-shop"
    engage("init", str(folder), at=ROOT)
    for name, text in files_of("README.md").items():
        (folder / name).write_text(text, encoding="utf-8")
    checked = json.loads(engage("check", "--json", at=folder))
    assert checked["problems"] == []
    begin_at(folder, NIGHT)
    assert "spring_tea" in engage("apply", at=folder)
    return folder


@pytest.fixture
def reader(project: Path, tmp_path: Path) -> Iterator[Reader]:
    folder = tmp_path / "my-shop"
    shutil.copytree(project, folder)
    config = use_free_port(folder)
    clock = VirtualClock(NIGHT)
    read, problems = read_project(project_files(folder)[0])
    assert read is not None, problems
    world = World(folder, clock, 1, settings_of(config), (), Nobody(), (), read.library.approved_sms)
    world.start()
    app = build(with_providers(config, world), clock, folder)
    app.server.start()
    try:
        yield Reader(app, world, Drive(app.engine, world, clock), clock)
    finally:
        app.close()
        world.stop()


# --- what the README says ---------------------------------------------------------------------------------------


def test_the_journey_has_ten_lines_and_is_the_same_in_both_readmes() -> None:
    english, chinese = (files_of(name) for name in READMES)
    assert without_comments(english) == without_comments(chinese)
    assert len(english["journeys/spring_tea.yaml"].strip().splitlines()) == 10


def test_the_answer_comes_at_once_the_question_at_ten_and_a_low_score_becomes_a_task(reader: Reader) -> None:
    reader.follows()
    reader.types("有春茶吗")
    told = [words for at, words in reader.chat() if at == "23 22:15" and "今年的春茶到了" in words]
    assert len(told) == 1, reader.chat()
    assert "茶友" in told[0], "a follower without a name is called what the catalog says"
    assert reader.tasks("inbox") == [(None, "一位会员：“有春茶吗”")]

    reader.waits_until(NIGHT + timedelta(hours=11, minutes=44))
    asked = [at for at, words in reader.chat() if "喝着还满意吗" in words]
    assert asked == [], "nothing is asked before ten"
    reader.waits_until(NIGHT + timedelta(hours=12))
    asked = [at for at, words in reader.chat() if "昨天说的春茶，喝着还满意吗？" in words]
    assert asked == ["24 10:00"]

    reader.types("2")
    assert reader.answers() == [("spring_tea", "csat", 2)]
    task = ("客服一组", "春茶不合口味：茶友 打了 2 分。")
    assert reader.tasks("journey") == [task]
    for name in READMES:
        assert task[1] in (ROOT / name).read_text(encoding="utf-8")


def test_a_happy_customer_makes_no_task(reader: Reader) -> None:
    reader.follows()
    reader.types("有春茶吗")
    reader.waits_until(NIGHT + timedelta(hours=12))
    reader.types("5")
    assert reader.answers() == [("spring_tea", "csat", 5)]
    assert reader.tasks("journey") == []


def test_other_words_do_not_start_it(reader: Reader) -> None:
    reader.follows()
    reader.types("几点关门")
    reader.waits_until(NIGHT + timedelta(hours=12))
    assert not any("春茶" in words for _, words in reader.chat())


# --- the project ------------------------------------------------------------------------------------------------


def files_of(readme: str) -> dict[str, str]:
    """The files that a README tells its reader to write, by path."""
    found = dict(_FILE.findall((ROOT / readme).read_text(encoding="utf-8")))
    assert set(found) == {"journeys/spring_tea.yaml", "templates/spring_tea.wechat.j2"}
    return found


def without_comments(files: dict[str, str]) -> dict[str, list[str]]:
    return {name: [re.sub(r" +#.*", "", line) for line in text.splitlines()] for name, text in files.items()}


def engage(*arguments: str, at: Path) -> str:
    command = [sys.executable, "-m", "engage", "--lang", "en", *arguments]
    ran = subprocess.run(command, cwd=at, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, f"{arguments}: {ran.stdout}{ran.stderr}"
    return ran.stdout


def begin_at(folder: Path, moment: datetime) -> None:
    """The database lives by a clock of its own, like the demo's."""
    database = open_database(load_config(folder / "config.yaml"), folder)
    migrating.upgrade(database)
    with database.write() as connection:
        state.put(connection, state.VIRTUAL_NOW, moment.isoformat(), moment)
    database.close()


def use_free_port(folder: Path) -> Config:
    """Links carry the address of the engine's web server, so it is fixed before anything starts."""
    (port,) = free_ports(1)
    path = folder / "config.yaml"
    raw: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    raw["web"] |= {"port": port, "public_url": f"http://127.0.0.1:{port}"}
    path.write_text(yaml.safe_dump(raw, allow_unicode=True), encoding="utf-8")
    return load_config(path)


def settings_of(config: Config) -> SandboxSettings:
    wechat, sms, email = config.channels.wechat, config.channels.sms, config.channels.email
    assert wechat
    assert sms
    assert email
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
        api_key="",
        faults=False,
    )


def with_providers(config: Config, world: World) -> Config:
    """The same config, its providers where the world's servers listen."""
    channels = config.channels
    assert channels.wechat
    assert channels.sms
    assert channels.email
    moved = channels.model_copy(
        update={
            "wechat": channels.wechat.model_copy(update={"base_url": world.wechat_url}),
            "sms": channels.sms.model_copy(update={"base_url": world.sms_url}),
            "email": channels.email.model_copy(update={"host": world.smtp_host, "port": world.smtp_port}),
        }
    )
    return config.model_copy(update={"channels": moved})
