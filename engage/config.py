"""`config.yaml`: what ops own. Journeys may tighten these rules, never loosen them.

Secrets may be written as `env:NAME` or `file:PATH` (relative to this file), so that the file itself can be kept in git.
"""

from __future__ import annotations

import os
import re
from collections.abc import Hashable
from datetime import date, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)

from engage.config_words import Unfit, about_value, about_yaml
from engage.core.duration import parse_duration, parse_time
from engage.core.quiet import leaves_room
from engage.core.workdays import AnnouncedYear, WorkCalendar
from engage.errors import ConfigError


def _resolve_secret(value: object) -> object:
    if isinstance(value, str) and value.startswith("env:"):
        name = value.removeprefix("env:")
        if name not in os.environ:
            raise Unfit(f"the environment variable {name} is not set", f"没有设置环境变量 {name}")
        return os.environ[name]
    if isinstance(value, str) and value.startswith("file:"):
        path = Path(value.removeprefix("file:"))
        try:
            return path.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            raise Unfit(f"the file {path} does not exist", f"文件 {path} 不存在") from None
        except (OSError, UnicodeDecodeError):
            raise Unfit(f"the file {path} cannot be read as text", f"文件 {path} 不能作为文本读取") from None
    return value


def _filled(secret: SecretStr) -> SecretStr:
    if not secret.get_secret_value().strip():
        raise Unfit(
            "is empty; write the secret, or env:NAME, or file:/path", "是空的；请写密钥，或者 env:名称，或者 file:/路径"
        )
    return secret


def _long_enough(secret: SecretStr) -> SecretStr:
    if len(secret.get_secret_value()) < SIGNING_KEY_LENGTH:
        raise Unfit(
            f"is too short; use at least {SIGNING_KEY_LENGTH} random characters",
            f"太短；请用至少 {SIGNING_KEY_LENGTH} 个随机字符",
        )
    return secret


def _aes_key(secret: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[A-Za-z0-9+/]{43}", secret.get_secret_value()):
        raise Unfit(
            "is not an EncodingAESKey; copy the 43 letters and digits from the account's settings",
            "不是 EncodingAESKey；请从公众号后台复制那 43 个字母和数字",
        )
    return secret


def _duration(value: object) -> object:
    if isinstance(value, str):
        parsed = parse_duration(value)
        if parsed is None:
            raise Unfit(
                f"“{value}” is not a duration; durations look like 30m, 2h, 3d, 1d12h",
                f"“{value}”不是时长；时长的写法：30m、2h、3d、1d12h",
            )
        if not timedelta(0) < parsed <= _LONGEST:
            raise Unfit(
                f"“{value}” is out of range; write something between 1m and {_LONGEST.days}d",
                f"“{value}”超出了范围；请写 1m 到 {_LONGEST.days}d 之间的时长",
            )
        return parsed
    return value


def _time(value: object) -> object:
    if isinstance(value, str):
        parsed = parse_time(value)
        if parsed is None:
            raise Unfit(
                f"“{value}” is not a time of day; write it like 09:30", f"“{value}”不是一天中的时间；请写成 09:30 这样"
            )
        return parsed
    return value


def _url(value: str) -> str:
    if not value.startswith(("http://", "https://")):
        raise Unfit(
            f"“{value}” is not a web address; it starts with https:// or http://",
            f"“{value}”不是网址；网址以 https:// 或 http:// 开头",
        )
    return value.rstrip("/")


SIGNING_KEY_LENGTH = 32
_LONGEST = timedelta(days=3660)  # of a frequency cap; a slip of the keyboard otherwise
Secret = Annotated[SecretStr, BeforeValidator(_resolve_secret), AfterValidator(_filled)]
Duration = Annotated[timedelta, BeforeValidator(_duration)]
TimeOfDay = Annotated[time, BeforeValidator(_time)]
Url = Annotated[str, AfterValidator(_url)]
Port = Annotated[int, Field(ge=1, le=65535)]
Concurrency = Annotated[int, Field(ge=1, le=256)]
Money = Annotated[Decimal, Field(ge=0)]
Share = Annotated[Decimal, Field(ge=0, le=1)]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Database(Section):
    url: str = "sqlite:///engage.db"  # a relative SQLite path is relative to the config file


class Web(Section):
    host: str = "127.0.0.1"
    port: Port = 8080
    public_url: Url = "http://127.0.0.1:8080"  # how followers and providers reach us
    signing_key: Annotated[Secret, AfterValidator(_long_enough)]  # signs links and unsubscribe tokens
    api_keys: dict[str, Secret] = Field(default_factory=dict)  # name → key


class WeChat(Section):
    app_id: str
    app_secret: Secret
    account: str  # gh_…: the account's original id, the ToUserName of callbacks
    callback_token: Secret
    encoding_aes_key: Annotated[Secret, AfterValidator(_aes_key)]  # callbacks are accepted in safe mode only
    base_url: Url = "https://api.weixin.qq.com"
    concurrency: Concurrency = 8


class Sms(Section):
    """Aliyun Dysmsapi 2017-05-25."""

    access_key_id: str
    access_key_secret: Secret
    sign_name: str
    callback_secret: Secret  # Aliyun's pushes are not signed: the secret is part of the callback path
    base_url: Url = "https://dysmsapi.aliyuncs.com"
    price: Money = Decimal("0.045")  # per segment
    concurrency: Concurrency = 8


class Email(Section):
    host: str
    port: Port = 587
    security: Literal["none", "starttls", "tls"] = "starttls"
    username: str | None = None
    password: Secret | None = None
    sender: str  # "山野茶事 <hello@example.com>"
    bounce_domain: str  # envelope senders are b+<delivery>@<bounce_domain>
    callback_secret: Secret  # the mail server posts bounces to /callbacks/email/<secret>
    price: Money = Decimal("0.001")
    concurrency: Concurrency = 4


def unreadable_sender() -> ConfigError:
    """Its form is known where mail is written."""
    form = "山野茶事 <hello@example.com>"
    return ConfigError(f"channels.email.sender: write it like {form}", f"channels.email.sender：请写成 {form} 这样")


class Channels(Section):
    wechat: WeChat | None = None
    sms: Sms | None = None
    email: Email | None = None


class Hours(Section):
    """A daily span of local time. `start` later than `end` runs over midnight."""

    start: TimeOfDay
    end: TimeOfDay


class Cap(Section):
    count: Annotated[int, Field(ge=0)]  # 0: none at all
    within: Duration


def _days(value: object) -> object:
    """`2027-02-05`, or `2027-02-05..2027-02-11` with both ends."""
    if not isinstance(value, list):
        raise Unfit(
            "is not a list of days like [2027-01-01, 2027-02-05..2027-02-11]",
            "应该是一列日期，例如 [2027-01-01, 2027-02-05..2027-02-11]",
        )
    return frozenset(day for item in value for day in _span_of_days(str(item)))


def _span_of_days(written: str) -> list[date]:
    first, _, last = written.partition("..")
    try:
        begin, end = date.fromisoformat(first), date.fromisoformat(last or first)
    except ValueError:
        raise Unfit(
            f"“{written}” is not a day; days look like 2027-01-01, 2027-02-05..2027-02-11",
            f"“{written}”不是日期；写法：2027-01-01、2027-02-05..2027-02-11",
        ) from None
    if not timedelta(0) <= end - begin < timedelta(days=366):
        raise Unfit(f"“{written}” runs backwards, or over more than a year", f"“{written}”前后颠倒，或者超过了一年")
    return [begin + timedelta(days=passed) for passed in range((end - begin).days + 1)]


Days = Annotated[frozenset[date], BeforeValidator(_days)]


class WorkYear(Section):
    """A year's public holidays, and the weekends that are worked for them, as the State Council announced them."""

    holidays: Days = frozenset()
    make_up_days: Days = frozenset()

    @model_validator(mode="after")
    def _one_or_the_other(self) -> Self:
        both = sorted(self.holidays & self.make_up_days)
        if both:
            raise Unfit(f"{both[0]} is both a holiday and a make-up day", f"{both[0]} 既是假日又是调休上班日")
        return self


class Policy(Section):
    quiet_hours: Hours = Hours(start=time(21, 0), end=time(9, 0))
    marketing_hours: dict[str, Hours] = Field(
        default_factory=lambda: {"sms": Hours(start=time(9, 0), end=time(20, 30))}
    )
    caps: dict[str, list[Cap]] = Field(
        default_factory=lambda: {
            "marketing": [Cap(count=1, within=timedelta(days=1)), Cap(count=3, within=timedelta(days=7))],
            "survey": [Cap(count=1, within=timedelta(days=7))],
        }
    )  # by topic; a topic without a row has no cap
    response_value: Money = Decimal("1.00")  # what one response is worth, for ranking channels
    engagement: dict[str, Share] = Field(
        default_factory=lambda: {"wechat": Decimal("0.30"), "email": Decimal("0.08"), "sms": Decimal("0.06")}
    )  # expected share of messages answered or clicked
    release_per_hour: int = Field(default=500, ge=1)  # members let go when an edit would move many on at once
    workdays: dict[int, WorkYear] = Field(default_factory=dict)  # years that Engage does not know yet

    def work_calendar(self) -> WorkCalendar:
        years = {year: AnnouncedYear(given.holidays, given.make_up_days) for year, given in self.workdays.items()}
        return WorkCalendar(years)

    @model_validator(mode="after")
    def _days_of_their_year(self) -> Self:
        for year, given in self.workdays.items():
            strange = sorted(day for day in given.holidays | given.make_up_days if day.year != year)
            if strange:
                raise Unfit(
                    f"workdays.{year}: {strange[0]} is not a day of {year}",
                    f"workdays.{year}：{strange[0]} 不是 {year} 年的日子",
                )
        return self

    @model_validator(mode="after")
    def _only_known_channels(self) -> Self:
        """A misspelt channel would lose its rule in silence, and marketing hours must never do that."""
        for key, channels in (("marketing_hours", self.marketing_hours), ("engagement", self.engagement)):
            unknown = sorted(set(channels) - set(Channels.model_fields))
            if unknown:
                known = ", ".join(Channels.model_fields)
                raise Unfit(
                    f"{key}.{unknown[0]}: there is no such channel; the channels are {known}",
                    f"{key}.{unknown[0]}：没有这个渠道；渠道有 {known}",
                )
        return self

    @model_validator(mode="after")
    def _hours_leave_room(self) -> Self:
        """Hours in which nothing can be sent would hold every message back for ever."""
        quiet = (self.quiet_hours.start, self.quiet_hours.end)
        for channel, hours in self.marketing_hours.items():
            if not leaves_room(quiet, (hours.start, hours.end)):
                spelt, quietly = _spelt(hours), _spelt(self.quiet_hours)
                raise Unfit(
                    f"marketing_hours.{channel}: {spelt} lies wholly inside the quiet hours {quietly}, "
                    "so that nothing could ever be sent; change one of the two",
                    f"marketing_hours.{channel}：{spelt} 全在免打扰时段 {quietly} 里，什么都发不出去；请改其中一个",
                )
        return self


def _spelt(hours: Hours) -> str:
    return f"{hours.start:%H:%M}-{hours.end:%H:%M}"


class Webhook(Section):
    """An address that is told things: by a team's tasks (a group robot), or by the webhook step of a journey."""

    url: Secret
    # Of a team's robot: WeCom, DingTalk or Feishu; `json` posts the task as it is. A journey's call has its own form.
    format: Literal["wecom", "dingtalk", "feishu", "json"] = "wecom"
    secret: Secret | None = None  # signs the request: of DingTalk, of Feishu, of a journey's call
    allow_private: bool = False  # a journey's call may go to the intranet, without TLS, too


class Config(Section):
    database: Database = Database()
    web: Web
    channels: Channels = Channels()
    policy: Policy = Policy()
    webhooks: dict[str, Webhook] = Field(default_factory=dict)
    test_recipients: list[str] = Field(default_factory=list)  # the only addresses `engage send-test` may use
    lang: Literal["en", "zh"] | None = None  # of messages to people at the terminal; None: the locale's


# Stands where a secret is named and nobody looks it up. 43 letters and digits: long enough for every key.
NOT_LOOKED_UP = "noSecretIsHereBecauseNothingIsEverSent00000"


def _anchored(value: object, folder: Path) -> object:
    """Secrets' relative paths are relative to the config file, wherever the command is run."""
    match value:
        case dict():
            return {key: _anchored(part, folder) for key, part in value.items()}
        case list():
            return [_anchored(part, folder) for part in value]
        case str() if value.startswith("file:"):
            return f"file:{folder / value.removeprefix('file:')}"
        case _:
            return value


def _without_secrets(value: object) -> object:
    match value:
        case dict():
            return {key: _without_secrets(part) for key, part in value.items()}
        case list():
            return [_without_secrets(part) for part in value]
        case str() if value.startswith(("env:", "file:")):
            return NOT_LOOKED_UP
        case _:
            return value


def load_config(path: Path, *, secrets: bool = True) -> Config:
    """Read and validate. Every mistake at once, each with its key; never a secret's value. `secrets=False`: those that
    are kept elsewhere are not looked up, for a use that connects to nothing."""
    try:
        # S506: this is a SafeLoader that knows even fewer types.
        raw = yaml.load(path.read_text(encoding="utf-8"), Loader=_TextLoader)  # noqa: S506
    except FileNotFoundError:
        raise ConfigError(
            f"{path} does not exist. `engage init DIR` makes a project with one.",
            f"{path} 不存在。`engage init 目录` 会新建一个带配置的项目。",
        ) from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}", f"无法读取 {path}：{error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        why = about_yaml(error)
        raise ConfigError(f"{path} is not valid YAML: {why.en}", f"{path} 不是有效的 YAML：{why.zh}") from None
    if not isinstance(raw, dict):
        raise ConfigError(
            f"{path} must be a mapping, like config.example.yaml",
            f"{path} 应该是一组“键: 值”，就像 config.example.yaml",
        )
    try:
        return Config.model_validate(_anchored(raw, path.parent) if secrets else _without_secrets(raw))
    except ValidationError as error:
        raise _unusable(path, error) from None


def _unusable(path: Path, error: ValidationError) -> ConfigError:
    keys = {name for section in Section.__subclasses__() for name in section.model_fields}
    found = [about_value(item, keys) for item in error.errors(include_input=False, include_url=False)]
    return ConfigError(
        "\n".join([f"{path} cannot be used:", *(f"  {said.en}" for said in found)]),
        "\n".join([f"{path} 不能使用：", *(f"  {said.zh}" for said in found)]),
    )


class _TextLoader(yaml.SafeLoader):
    """Values stay the text they are; the sections decide what they mean. To YAML 1.1 an unquoted `21:00` is the number
    1260, which read as a time is 00:21. Only `null` and nothing are themselves. A key given twice is an error."""

    yaml_implicit_resolvers = {  # noqa: RUF012
        first: [(tag, pattern) for tag, pattern in rules if tag == "tag:yaml.org,2002:null"]
        for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            name = str(key.value)
            if name in seen:
                raise yaml.constructor.ConstructorError(None, None, "this key is given twice", key.start_mark)
            seen.add(name)
        return super().construct_mapping(node, deep)
