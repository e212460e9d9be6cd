"""`engage init`: a new project that runs at once against the local simulators."""

from __future__ import annotations

import re
import secrets
import shutil
import string
from pathlib import Path
from typing import Annotated

import typer

from engage.cli.ending import Refusal
from engage.cli.invocation import Invocation
from engage.cli.language import CONFIG_NAME
from engage.cli.schema import write_schemas
from engage.cli.screen import Screen
from engage.cli.shipped import BEHAVIOUR, EXAMPLE_CONFIG, FOLDERS, ROOT

_EXAMPLE_SECRET = re.compile(r"\bexample-[a-z-]+")
_EXAMPLE_AES_KEY = re.compile(r"(?<=encoding_aes_key: )[A-Za-z0-9]{43}")
_GITIGNORE = """\
# Holds secrets. Take this line out once they are all written as env:NAME or file:/path.
config.yaml

# What Engage keeps while it runs.
engage.db*
sandbox/
*.refused.csv
"""


def init(
    ctx: typer.Context,
    directory: Annotated[Path, typer.Argument(help="The new folder. It must not exist, or be empty.")],
) -> None:
    """Start a new project, ready to run on local simulators.

    Makes a folder with config.yaml (its secrets are new and random), the seven starter journeys, their catalog, and
    templates for WeChat, SMS and email. It works at once with the local simulators; config.yaml says what to change for
    real use.

    Example:  engage init my-shop

    Exit codes: 0 made · 4 the folder is not empty
    """
    screen = Invocation.of(ctx).screen
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise Refusal(
            screen.word(
                f"{directory} is not empty; name a new folder, or empty this one first",
                f"{directory} 不是空文件夹；请换一个新的文件夹，或先把它清空",
            )
        )
    directory.mkdir(parents=True, exist_ok=True)
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, directory / folder)
    shutil.copyfile(BEHAVIOUR, directory / BEHAVIOUR.name)
    (directory / ".gitignore").write_text(_GITIGNORE, encoding="utf-8")
    write_schemas(directory, screen.lang)
    config = directory / CONFIG_NAME
    config.touch(mode=0o600)
    config.write_text(_with_new_secrets(EXAMPLE_CONFIG.read_text(encoding="utf-8")), encoding="utf-8")
    _tell_next_steps(screen, directory)


def _with_new_secrets(example: str) -> str:
    def new(_: re.Match[str]) -> str:
        return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(43))

    return _EXAMPLE_AES_KEY.sub(new, _EXAMPLE_SECRET.sub(new, example))


def _tell_next_steps(screen: Screen, directory: Path) -> None:
    screen.say(f"{directory} is ready. Next:", f"{directory} 已建好。接下来：", "bold")
    steps = (
        (f"cd {directory}", "", ""),
        ("engage check", "read the journeys, and look for mistakes", "检查旅程有没有写错"),
        ("engage test", "try what they do for a member; nothing is sent", "试一试它们会怎样对待会员，不会真的发送"),
        ("engage apply", "make them what runs", "让它们生效"),
        ("engage sandbox", "in a terminal of its own: WeChat, SMS, mail", "另开一个终端：本机的微信、短信和邮箱"),
        ("engage run", "in another one: the daemon", "再开一个终端：启动引擎"),
    )
    for command, en, zh in steps:
        screen.line(f"  {command:<16} {screen.word(en, zh)}".rstrip())
    screen.say(
        "Then open http://127.0.0.1:8090, take a phone, follow the account, and see what comes.",
        "然后打开 http://127.0.0.1:8090，领一部手机，关注公众号，看看会收到什么。",
    )
