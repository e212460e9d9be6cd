"""What the journey tests share: a small catalog with every kind of field, and short ways to read a text."""

from __future__ import annotations

from pathlib import Path

from engage.core.catalog import Catalog
from engage.core.condition import Condition
from engage.core.journey.model import Journey, Step
from engage.core.journey.reading import read_catalog, read_journey
from engage.core.problem import Problem

ROOT = Path(__file__).parents[3]

CATALOG_SOURCE = """
brand: { name: 山野茶事, links: { shop: https://shop.example/ } }
fields:
  name: { type: text, default: 茶友 }
  city: text
  lifecycle: [新客, 活跃, 沉睡, 流失]
  level: number
  points: number
  employee: boolean
  birthday: anniversary
  contract_end: date
  orders: { count: order_paid }
  last_order_at: { last: order_paid }
events:
  order_paid: { order_id: text, amount: number, gift: boolean, paid_on: date }
  store_visited: { store: text }
segments:
  VIP: { tag: VIP }
topics:
  service: { class: service, label: 服务 }
  survey: { class: marketing, label: 调查 }
  marketing: { class: marketing, label: 活动 }
teams: { 客服一组: { webhook: wecom }, 店长群: { email: m@example.com }, 没人: {} }
webhooks: [crm_sync, coupon_issue]
"""


def catalog() -> Catalog:
    found, problems = read_catalog(CATALOG_SOURCE, "catalog.yaml")
    assert found is not None
    assert problems == []
    return found


def text_of(top: str = "", steps: str = "  - send: welcome") -> str:
    """A journey file: `top` adds lines, or replaces `start` if it has one."""
    start = "" if "start:" in top else "start: manual\n"
    return f"journey: 测试\n{start}{top.rstrip()}\nsteps:\n{steps}\n"


def read(text: str, file: str = "journeys/trial.yaml") -> tuple[Journey, list[Problem]]:
    journey, problems = read_journey(text, file, catalog())
    assert journey is not None, problems
    return journey, problems


def good(text: str) -> Journey:
    journey, problems = read(text)
    assert [(problem.code, problem.message.en) for problem in problems] == []
    return journey


def good_step(steps: str) -> Step:
    """The last step of a list that is read without problems."""
    return good(text_of(steps=steps)).steps[-1]


def condition_of(line: str, top: str = "") -> Condition:
    journey = good(text_of(f"{top}\nexit_if: {{ {line} }}"))
    (rule,) = journey.exit_if
    return rule.condition  # type: ignore[union-attr]


def found(text: str) -> list[tuple[str, str]]:
    """The problems of a journey file, each as its code and the words it underlines."""
    _, problems = read_journey(text, "journeys/trial.yaml", catalog())
    return [(problem.code, underlined(text, problem)) for problem in problems]


def found_in_steps(steps: str) -> list[tuple[str, str]]:
    return found(text_of(steps=steps))


def found_on_top(top: str) -> list[tuple[str, str]]:
    return found(text_of(top))


def underlined(source: str, problem: Problem) -> str:
    """The words a problem points at; those of the first line if it spans several."""
    span = problem.span
    line = source.splitlines()[span.line - 1]
    return line[span.column - 1 : span.end_column - 1 if span.line == span.end_line else None]
