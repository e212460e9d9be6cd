"""The vocabulary of a project: fields, events, segments, topics, teams, and the brand. Read from `catalog.yaml`."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from engage.core.condition import Condition, ValueType


class Aggregate(StrEnum):
    COUNT = "count"
    SUM = "sum"
    FIRST = "first"
    LAST = "last"


@dataclass(frozen=True, slots=True)
class Computed:
    """A field Engage keeps from events: `{count: order_paid}`, `{sum: order_paid.amount}`, `{last: [a, b]}`."""

    aggregate: Aggregate
    events: tuple[str, ...]
    key: str | None = None  # the payload key that `sum` adds up
    within: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    type: ValueType
    values: tuple[str, ...] = ()  # of an enum: the only values allowed
    default: str | None = None  # what templates print when a member has none
    computed: Computed | None = None


RANK = "_rank"  # every number field `x` has its rank `x_rank` in conditions; nobody lists it


def ranked_by(name: str, fields: Mapping[str, Field]) -> Field | None:
    """The number field that `<field>_rank` ranks; None if that is no rank."""
    found = fields.get(name.removesuffix(RANK)) if name.endswith(RANK) else None
    return found if found is not None and found.type is ValueType.NUMBER else None


@dataclass(frozen=True, slots=True)
class Event:
    name: str
    payload: Mapping[str, ValueType]


class TopicClass(StrEnum):
    """`service` may be sent without a grant unless refused; `marketing` needs a grant on file."""

    SERVICE = "service"
    MARKETING = "marketing"


@dataclass(frozen=True, slots=True)
class Topic:
    name: str
    topic_class: TopicClass
    label: str


@dataclass(frozen=True, slots=True)
class Team:
    """Staff who get tasks; told by a webhook named in the config, or by email."""

    name: str
    webhook: str | None = None
    email: str | None = None


@dataclass(frozen=True, slots=True)
class Brand:
    name: str
    sms_sign: str
    links: Mapping[str, str]


# What follows a message or a task. Engage records these itself, so no catalog has to list them; they may be waited
# for, counted and aggregated like any other event.
RESPONSE_EVENTS: Mapping[str, Mapping[str, ValueType]] = {
    "delivered": {},
    "opened": {},
    "clicked": {"link": ValueType.TEXT},
    "replied": {"text": ValueType.TEXT},
    "answered": {"survey": ValueType.TEXT, "score": ValueType.NUMBER},
    "bounced": {"code": ValueType.TEXT},
    "complained": {},
    "unsubscribed": {"channel": ValueType.TEXT},
    "task_done": {"outcome": ValueType.TEXT},
}
NEVER_RECORDED = frozenset({"opened"})  # part of the language; nothing tracks it in this version
# Also kept by Engage, but about the member rather than about one message.
MEMBER_EVENTS: Mapping[str, Mapping[str, ValueType]] = {
    "member_created": {},
    "member_updated": {},
    "member_imported": {},  # from a file: history, not news
    "segment_entered": {"segment": ValueType.TEXT},
    "segment_left": {"segment": ValueType.TEXT},
    "wechat_followed": {"scene": ValueType.TEXT},
    "wechat_unfollowed": {},
    "nps_answered": {"score": ValueType.NUMBER},
    "csat_answered": {"score": ValueType.NUMBER},
}


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)  # what is worked out from one is kept while it lives
class Catalog:
    brand: Brand
    timezone: str
    fields: Mapping[str, Field] = field(default_factory=dict)
    events: Mapping[str, Event] = field(default_factory=dict)  # the two mappings above included
    segments: Mapping[str, Condition] = field(default_factory=dict)
    topics: Mapping[str, Topic] = field(default_factory=dict)
    teams: Mapping[str, Team] = field(default_factory=dict)
    webhooks: tuple[str, ...] = ()

    @property
    def topic_names(self) -> Set[str]:
        """By which rules may name topics: their own, and their classes'."""
        return self.topics.keys() | {topic_class.value for topic_class in TopicClass}

    def is_response(self, event: str) -> bool:
        """Responses count only for the enrolment whose message or task they answer."""
        return event in RESPONSE_EVENTS
