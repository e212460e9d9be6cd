"""`config.yaml`: what ops own. Journeys may tighten these rules, never loosen them.

Secrets may be written as `env:NAME` or `file:PATH` (relative to this file), so that the file itself can be kept in git.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator
from datetime import time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)

from engage.config_values import (
    NOT_LOOKED_UP,
    AesKey,
    Concurrency,
    Days,
    Domain,
    Duration,
    FromElsewhere,
    Host,
    Kept,
    Money,
    PerSecond,
    Port,
    PortOrFree,
    Recipient,
    Secret,
    Sender,
    Share,
    SigningKey,
    TimeOfDay,
    Url,
    WebhookUrl,
    resolve_secret,
)
from engage.config_words import Unfit, about_value, about_yaml
from engage.core import intake
from engage.core.catalog import TopicClass
from engage.core.quiet import leaves_room
from engage.core.workdays import AnnouncedYear, WorkCalendar
from engage.errors import ConfigError


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Database(Section):
    # A relative SQLite path is relative to the config file. A server's carries a password.
    url: FromElsewhere = Field(default="sqlite:///engage.db", repr=False)


class Web(Section):
    host: str = "127.0.0.1"
    port: Port = 8080
    public_url: Url = "http://127.0.0.1:8080"  # how followers and providers reach us
    signing_key: SigningKey  # signs links, and the addresses that bounces come back to
    api_keys: dict[str, Secret] = Field(default_factory=dict)  # name → key


class Ops(Section):
    """Where those who run it look: /healthz, /readyz, /metrics. Not for the outside."""

    host: str = "127.0.0.1"
    port: PortOrFree = 8081
    log_level: Literal["debug", "info", "warning", "error"] = "info"


class WeChat(Section):
    app_id: str
    app_secret: Secret
    account: str  # gh_…: the account's original id, the ToUserName of callbacks
    callback_token: Secret
    encoding_aes_key: AesKey  # callbacks are accepted in safe mode only
    base_url: Url = "https://api.weixin.qq.com"
    concurrency: Concurrency = 8
    per_second: PerSecond | None = None  # what the provider allows; all daemons together keep to it


class Sms(Section):
    """Aliyun Dysmsapi 2017-05-25."""

    access_key_id: str
    access_key_secret: Secret
    sign_name: str
    callback_secret: Secret  # Aliyun's pushes are not signed: the secret is part of the callback path
    base_url: Url = "https://dysmsapi.aliyuncs.com"
    price: Money = Decimal("0.045")  # per segment
    concurrency: Concurrency = 8
    per_second: PerSecond | None = None


class Email(Section):
    host: Host
    port: Port = 587
    security: Literal["none", "starttls", "tls"] = "starttls"
    username: str | None = None
    password: Secret | None = None
    sender: Sender  # "山野茶事 <hello@example.com>"
    bounce_domain: Domain  # envelope senders are b+<delivery>-<signature>@<bounce_domain>
    callback_secret: Secret  # the mail server posts bounces to /callbacks/email/<secret>
    price: Money = Decimal("0.001")
    concurrency: Concurrency = 4
    per_second: PerSecond | None = None


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


class Limits(Section):
    """The last ditch, outside journeys: far above honest use, and low enough to stop what has gone wrong."""

    per_address: list[Cap] = Field(
        default_factory=lambda: [Cap(count=20, within=timedelta(hours=1)), Cap(count=50, within=timedelta(days=1))]
    )
    # How often the same words may go to one address within a day, by class of topic.
    same_words: dict[TopicClass, Annotated[int, Field(ge=1)]] = Field(
        default_factory=lambda: {TopicClass.SERVICE: 5, TopicClass.MARKETING: 1}
    )  # there may be two orders; an advert is the same advert
    per_minute: dict[str, Annotated[int, Field(ge=1)]] = Field(
        default_factory=lambda: {"wechat": 120_000, "sms": 120_000, "email": 120_000}
    )  # calls on a channel; one without a line has no ceiling
    steps_per_day: int = Field(default=200, ge=1)  # of a run whose journey leads back by a `goto`
    outage: Duration = timedelta(minutes=10)  # nobody at work for longer: what came due meanwhile is a backlog
    backlog_per_hour: int = Field(default=20_000, ge=1)  # of it, service messages aside


class AudienceGuard(Section):
    """What one start may bring at once, by the calendar, into a segment, or with `apply --existing`; more is held back
    until somebody approves it."""

    count: int = Field(default=200_000, ge=1)
    share: Share = Decimal("0.5")  # of all members; a schedule that says `audience: everyone` has said so
    share_from: int = Field(default=1_000, ge=1)  # fewer are never too large a share


class Canary(Section):
    """A start that brings many is let go by stages, and stops by itself when they turn out badly."""

    start_from: int = Field(default=20_000, ge=1)
    stages: list[Annotated[int, Field(ge=1, le=100)]] = Field(default_factory=lambda: [1, 10, 100])
    wait: Duration = timedelta(minutes=30)  # between two stages, once most of the earlier one were written to
    most_failed: Share = Decimal("0.05")
    most_unsubscribed: Share = Decimal("0.02")
    most_complained: Share = Decimal("0.003")

    @model_validator(mode="after")
    def _stages_grow(self) -> Self:
        if not self.stages or self.stages[-1] != 100 or sorted(set(self.stages)) != self.stages:
            raise Unfit(
                "stages: write percentages that grow to 100, like [1, 10, 100]",
                "stages：请写递增到 100 的百分数，例如 [1, 10, 100]",
            )
        return self


class Approvals(Section):
    """Topics, or classes of topics, of which plans and large starts wait until so many people have approved them."""

    topics: frozenset[str] = frozenset()
    by: int = Field(default=1, ge=1)
    start_from: int = Field(default=1_000, ge=1)  # a start that brings fewer needs none


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
    limits: Limits = Limits()
    audience_guard: AudienceGuard = AudienceGuard()
    canary: Canary = Canary()
    approvals: Approvals = Approvals()
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
        named: dict[str, Collection[str]] = {
            "marketing_hours": self.marketing_hours,
            "engagement": self.engagement,
            "limits.per_minute": self.limits.per_minute,
        }
        for key, channels in named.items():
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

    url: WebhookUrl
    # Of a team's robot: WeCom, DingTalk or Feishu; `json` posts the task as it is. A journey's call has its own form.
    format: Literal["wecom", "dingtalk", "feishu", "json"] = "wecom"
    secret: Secret | None = None  # signs the request: of DingTalk, of Feishu, of a journey's call
    allow_private: bool = False  # a journey's call may go to the intranet, without TLS, too


class Retention(Section):
    """How long what is over is kept; None: for ever. Personal data go with it."""

    inbound: Kept | None = timedelta(days=90)  # callbacks and API calls as they were received
    events: Kept | None = None
    trail: Kept | None = None  # what each run decided
    messages: Kept | None = None  # the words and bytes of messages, and why they went this way


class Config(Section):
    database: Database = Database()
    retention: Retention = Retention()
    web: Web
    ops: Ops = Ops()
    channels: Channels = Channels()
    policy: Policy = Policy()
    webhooks: dict[str, Webhook] = Field(default_factory=dict)
    environment: Literal["production", "test"] = "production"  # test: only `test_recipients` are ever written to
    test_recipients: list[Recipient] = Field(default_factory=list)  # the only addresses `engage send-test` may use
    lang: Literal["en", "zh"] | None = None  # of messages to people at the terminal; None: the locale's

    @property
    def addresses_for_tests(self) -> frozenset[str]:
        """As addresses are kept."""
        return frozenset(intake.address(written) for written in self.test_recipients)


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


def looked_up(written: str, folder: Path) -> str:
    """What `env:NAME` or `file:PATH` stands for, as in a config file of that folder; anything else stands for itself.
    Raises Unfit."""
    return str(resolve_secret(_anchored(written, folder)))


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
    found = [(item["loc"], about_value(item, keys)) for item in error.errors(include_input=False, include_url=False)]
    return ConfigError(
        "\n".join([f"{path} cannot be used:", *(f"  {said.en}" for _, said in found)]),
        "\n".join([f"{path} 不能使用：", *(f"  {said.zh}" for _, said in found)]),
        found,
    )


def secret_values(config: Config) -> frozenset[str]:
    """Of every key that is secret as a whole. The database's address is not."""
    return frozenset(_secrets(config.model_dump()))


def _secrets(value: object) -> Iterator[str]:
    match value:
        case SecretStr():
            yield value.get_secret_value()
        case dict():
            for part in value.values():
                yield from _secrets(part)
        case list():
            for part in value:
                yield from _secrets(part)
        case _:
            return


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
