"""Order of what is due: by moment, then by key."""

from datetime import timedelta

from sandbox_bench import START

from engage.sandbox.agenda import Agenda


def test_by_moment_then_by_key_whoever_asked_first() -> None:
    agenda: Agenda[str] = Agenda()
    for minute, key in [(2, "a"), (1, "z"), (1, "b"), (3, "c")]:
        agenda.add(START + timedelta(minutes=minute), key, f"{minute}{key}")
    now = START + timedelta(minutes=2)
    taken = []
    while (action := agenda.take_due(now)) is not None:
        taken.append(action)
    assert taken == ["1b", "1z", "2a"]
    assert agenda.next_at() == START + timedelta(minutes=3)


def test_a_key_stands_for_one_entry_until_it_is_taken() -> None:
    agenda: Agenda[str] = Agenda()
    agenda.add(START, "a", "first")
    agenda.add(START, "a", "second")
    assert (agenda.take_due(START), agenda.take_due(START)) == ("first", None)
    agenda.add(START, "a", "third")
    assert agenda.take_due(START) == "third"
