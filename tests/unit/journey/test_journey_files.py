"""Whole files: what the project ships reads without a word, faulty files say all that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from journey_desk import ROOT, underlined

from engage.core.catalog import Catalog
from engage.core.journey.check import check_journeys
from engage.core.journey.model import Survey
from engage.core.journey.program import Program
from engage.core.journey.reading import read_catalog, read_journey

BAD = Path(__file__).parent / "bad"
JOURNEYS = ROOT / "journeys"
SHIPPED = sorted(path for path in JOURNEYS.glob("*.yaml") if path.name.count(".") == 1 and path.stem != "catalog")


def shipped_catalog() -> Catalog:
    found, problems = read_catalog((JOURNEYS / "catalog.yaml").read_text("utf-8"), "journeys/catalog.yaml")
    assert [problem.message.en for problem in problems] == []
    assert found is not None
    return found


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_journey_has_no_problems(path: Path) -> None:
    journey, problems = read_journey(path.read_text("utf-8"), str(path.relative_to(ROOT)), shipped_catalog())
    assert [(problem.span.line, problem.message.en) for problem in problems] == []
    assert journey is not None
    assert Program(journey).first is not None


def test_there_are_shipped_journeys() -> None:
    assert {"welcome", "birthday", "onboarding_90d", "nps", "service_recovery", "winback"} <= {p.stem for p in SHIPPED}


EXPECTED = {
    "a_typo": [
        ("E301", "lifecyle"),
        ("E213", "5天"),
        ("E210", "chanels"),
        ("E320", "switch"),
        ("E320", "switch"),
        ("E310", "nps_promotor"),
    ],
    "b_sem": [
        ("E301", "lifecyle"),
        ("E306", "marketting"),
        ("E320", "switch"),
        ("E320", "switch"),
        ("E304", "smss"),
        ("E310", "nps_promotor"),
    ],
    "c_dash": [("E204", "wait"), ("E203", "sned"), ("E202", "谢谢您")],
    "d_ime": [("E101", "："), ("E104", ">= 500"), ("E103", "{{ member.name }}")],
    "e_indent": [("E100", "channels: [wechat]")],
    "f_waitfor": [
        ("E213", "两周"),
        ("E211", "wait_for"),
        ("E213", "3 days"),
        ("E213", "until workdays 10:00"),
        ("E210", "fallback"),
    ],
    "g_value": [("E312", "活越"), ("E305", "五百")],
}


class Templates:
    """The templates the faulty files mean."""

    def names(self) -> list[str]:
        return ["welcome", "welcome_guide", "nps_promoter"]

    def channels_of(self, name: str) -> frozenset[str]:
        return frozenset({"wechat", "sms"} if name in self.names() else ())

    def ask_channels(self, step_id: str, survey: Survey) -> frozenset[str]:
        return frozenset({"wechat"})


@pytest.mark.parametrize("path", sorted(BAD.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_faulty_file_says_all_that_is_wrong_at_once(path: Path) -> None:
    source = path.read_text("utf-8")
    catalog = shipped_catalog()
    journey, problems = read_journey(source, path.name, catalog)
    if journey is not None:
        target, _ = read_journey("journey: a\nstart: manual\nsteps: []", "service_recovery.yaml", catalog)
        assert target is not None
        problems += check_journeys([journey, target], catalog, Templates())
    assert [(problem.code, underlined(source, problem)) for problem in problems] == EXPECTED[path.stem]
