"""Reads the world for the page: who has a phone, and what is on it. Blocking: called from worker threads."""

from __future__ import annotations

from engage.sandbox.model import Person, Phone
from engage.sandbox.phone.controls import Controls
from engage.sandbox.phone.newcomers import Newcomers
from engage.sandbox.phone.view import CHANNELS, Owner, Screen
from engage.sandbox.world import World


class NoSuchPhone(LookupError):
    """Nobody has this key."""


class PhoneReader:
    """Raises NoSuchPhone."""

    def __init__(self, world: World, controls: Controls, newcomers: Newcomers) -> None:
        self._world = world
        self._controls = controls
        self._newcomers = newcomers

    def people(self) -> list[Owner]:
        """New phones first, then in the world's order, strangers last."""
        known = self._world.people()
        keys = {person.key for person in known}
        unmet = [person for person in self._newcomers.people() if person.key not in keys]
        return [self._owner(Phone(person)) for person in reversed(unmet)] + [
            self._owner(self._world.phone(person.key)) for person in known
        ]

    def phone(self, key: str) -> Phone:
        try:
            return self._world.phone(key)
        except KeyError:
            unmet = self._newcomers.find(key)
            if unmet is None:
                raise NoSuchPhone(key) from None
            return Phone(unmet)

    def screen(self, key: str) -> Screen:
        phone, now = self.phone(key), self._controls.now()
        met = phone.person is not self._newcomers.find(key)  # until then the world has nothing to tell
        window = self._world.reply_window(key) if met else None
        return Screen(
            owner=self._owner(phone),
            now=now,
            chats={channel: self._world.chat(key, channel) if met else () for channel in CHANNELS},
            window=window.words(now) if window else None,
            journeys=self._controls.journeys(key),
        )

    def take_phone(self, name: str) -> Person:
        return self._newcomers.take_phone(name, self._world.people())

    def _owner(self, phone: Phone) -> Owner:
        return Owner(phone.person, self._newcomers.name(phone.person), phone.following, phone.received)
