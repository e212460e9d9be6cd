"""What came of it: on the phones, by the sandbox's own truth; and on file, as Engage remembers it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select
from stage_scene import Scene

from engage.sandbox.model import ChannelName, Handover
from engage.store import members, tasks
from engage.store.members import MemberRef
from engage.store.tables import answer, consent, contact_point, decision, delivery, enrolment, event, inbound, tag
from engage.store.tasks import TaskRow


@dataclass(frozen=True, slots=True)
class Came:
    """One message on a phone."""

    when: str  # "day 2 10:00", in the business's zone
    channel: str
    text: str
    handover: Handover = field(repr=False, compare=False)


class Records(Scene):
    # --- what reached people ------------------------------------------------------------------------------------

    def phone(self, name: str) -> list[Came]:
        """All that reached them, oldest first, by the sandbox's truth."""
        return [
            Came(self.when(handover.at), handover.channel, _words(handover), handover)
            for handover in self.world.phone(name).received
        ]

    def last(self, name: str, channel: ChannelName | None = None) -> Came:
        came = [c for c in self.phone(name) if channel in (None, c.channel)]
        assert came, f"nothing reached {name}"
        return came[-1]

    def got(self, name: str) -> list[tuple[str, str]]:
        """(when, channel) of all that reached them."""
        return [(came.when, came.channel) for came in self.phone(name)]

    def when(self, at: datetime) -> str:
        local = self.local(at)
        return f"day {(local.date() - self.began.date()).days} {local:%H:%M}"

    # --- what Engage has on file --------------------------------------------------------------------------------

    def ref(self, name: str) -> MemberRef:
        person = self._people[name]
        by = (members.MEMBER_KIND, person.ref) if person.ref is not None else ("wechat", person.openid)
        with self.database.read() as connection:
            return members.find(connection, by[0], [by[1] or ""])[by[1] or ""]

    def profile(self, name: str) -> Mapping[str, Any]:
        ref = self.ref(name)
        with self.database.read() as connection:
            known = members.profiles(connection, self.applied.catalog, [ref], self.clock.now())
        return known[ref.id].values

    def tags(self, name: str) -> set[str]:
        return {row.tag for row in self.rows(tag, name)}

    def rows(self, table: Any, name: str | None = None, **where: object) -> list[Any]:
        """Rows of a table, in id order; of one member, if named."""
        query = select(table).where(*(table.c[column] == value for column, value in where.items()))
        if name is not None:
            query = query.where(table.c.member_id == self.ref(name).id)
        query = query.order_by(*([table.c.id] if "id" in table.c else table.primary_key))
        with self.database.read() as connection:
            return list(connection.execute(query))

    def deliveries(self, name: str | None = None, **where: object) -> list[Any]:
        rows = self.rows(delivery, name)
        return [row for row in rows if all(row._mapping[column] == value for column, value in where.items())]

    def delivery(self, name: str, **where: object) -> Any:
        (row,) = self.deliveries(name, **where)
        return row

    def runs(self, name: str, journey: str | None = None) -> list[Any]:
        return [row for row in self.rows(enrolment, name) if journey in (None, row.journey_id)]

    def run(self, name: str, journey: str) -> Any:
        (row,) = self.runs(name, journey)
        return row

    def points(self, name: str) -> list[Any]:
        return self.rows(contact_point, name)

    def consents(self, name: str) -> list[Any]:
        return self.rows(consent, name)

    def answers(self, name: str) -> list[Any]:
        return self.rows(answer, name)

    def events(self, name: str, kind: str) -> list[Any]:
        return [row for row in self.rows(event, name) if row.name == kind]

    def inbox(self, source: str) -> list[Any]:
        """The stored records of a provider."""
        return self.rows(inbound, source=source)

    def trail(self, name: str, journey: str) -> list[str]:
        """What the member's run decided, as `step: what`."""
        run = self.run(name, journey)
        return [f"{row.step_id}: {row.what}" for row in self.rows(decision, enrolment_id=run.id)]

    def notes(self, name: str, journey: str, what: str) -> list[Mapping[str, Any]]:
        """The details of one kind of decision in the member's newest run."""
        run = self.runs(name, journey)[-1]
        return [row.detail for row in self.rows(decision, enrolment_id=run.id, what=what)]

    def tasks(self) -> list[TaskRow]:
        """The open ones."""
        with self.database.read() as connection:
            return tasks.open_tasks(connection)


def _words(handover: Handover) -> str:
    return f"{handover.subject}\n{handover.text}" if handover.subject else handover.text
