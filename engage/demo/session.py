"""One run of the demo, from an empty folder (or where it was killed) to the phone that a person can pick up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from rich.console import Console

from engage.clock import VirtualClock
from engage.config import load_config
from engage.content.project import Project, project_files, read_project
from engage.demo import folder as folders
from engage.demo.controls import DemoControls
from engage.demo.drive import Drive
from engage.demo.folder import START, Settings
from engage.demo.screen import DemoScreen
from engage.errors import EngageError
from engage.exchange.importing import import_events, import_members
from engage.runtime.edits.applying import apply
from engage.sandbox.behaviour import Followers
from engage.sandbox.model import Person
from engage.sandbox.phone.app import phone_app
from engage.sandbox.population import events_csv, make_people, members_csv
from engage.sandbox.shop import script
from engage.sandbox.world import World
from engage.serving import App, build
from engage.store import state
from engage.store.databases import migrating
from engage.store.databases.database import Database
from engage.store.insight import progress
from engage.web.server import Server, ServerError

_READY = "demo_ready"  # the first members are in: from here on a killed demo goes on instead of starting again


def play(folder: Path, settings: Settings, console: Console, *, stay: bool, phone_port: int) -> None:
    """Live through the days that were asked for; then, if `stay`, serve the phone page until it is interrupted."""
    project = _read_project(folder)
    texts = _ApprovedTexts(project)
    people = make_people(settings.members, settings.seed, START)
    clock = VirtualClock(_moment(folder))
    world = _world(folder, settings, people, texts, clock)
    with _serving(folder, settings, world, clock) as app:
        _set_up(app, folder, settings, people, project)
        texts.app = app
        drive = Drive(app.engine, world, clock)
        page = _phone_page(app, world, drive, phone_port) if stay else None
        _live_through(app, drive, settings, console)
        _say_where(folder, console)
        if page is not None:
            _serve_phone(page, drive, console)
    missed = world.given_up()
    if missed:
        raise EngageError(
            f"the engine did not take {len(missed)} callbacks; the first: {missed[0]}",
            f"引擎没有接收 {len(missed)} 个回调；第一个是：{missed[0]}",
        )


def _read_project(folder: Path) -> Project:
    sources, problems = project_files(folder)
    project, found = read_project(sources)
    if project is None:
        count = len(problems) + len(found)
        raise EngageError(
            f"{folder} has {count} problems; see `engage check {folder}`",
            f"{folder} 里有 {count} 处问题；请看 `engage check {folder}`",
        )
    return project


def _moment(folder: Path) -> datetime:
    """Where the clock of an earlier run stood; the beginning, if there was none."""
    path = folder / folders.DATABASE
    if not path.exists():
        return START
    database = Database(f"sqlite:///{path}")
    try:
        migrating.upgrade(database)
        with database.read() as connection:
            stored = state.get(connection, state.VIRTUAL_NOW)
    finally:
        database.close()
    return datetime.fromisoformat(stored) if stored is not None else START


class _ApprovedTexts:
    """What the SMS provider holds: the project's texts, and once the engine is up, what is applied. `engage apply` may
    change that while the demo runs."""

    def __init__(self, project: Project) -> None:
        self._library = project.library
        self._texts = project.library.approved_sms()
        self.app: App | None = None

    def __call__(self) -> dict[str, str]:
        library = self._library if self.app is None else self.app.context.applied.remembered().library
        if library is not self._library:
            self._library, self._texts = library, library.approved_sms()
        return self._texts


def _world(folder: Path, settings: Settings, people: list[Person], texts: _ApprovedTexts, clock: VirtualClock) -> World:
    followers = Followers(frozenset(person.key for person in people), settings.seed, START)
    plans = script(people, settings.seed, START, settings.days)
    shared = folders.sandbox_settings(settings)
    return World(folder, clock, settings.seed, shared, people, followers, plans, texts)


@contextmanager
def _serving(folder: Path, settings: Settings, world: World, clock: VirtualClock) -> Iterator[App]:
    """The simulators and the engine's web server, up; down again whatever happens."""
    world.start()
    try:
        path = folders.write_config(folder, settings, folders.sandbox_settings(settings), world)
        app = build(load_config(path), clock, folder)
        try:
            migrating.upgrade(app.context.database)
            yield app
        finally:
            app.close()
    finally:
        world.stop()


def _set_up(app: App, folder: Path, settings: Settings, people: list[Person], project: Project) -> None:
    """Apply the journeys and import the shop's members, once. Each part may be repeated: nothing happens twice."""
    database, now = app.context.database, app.context.clock.now()
    with database.read() as connection:
        ready = state.get(connection, _READY)
    if not ready:
        apply(database, project, now)
        for name, text, bring in (
            ("members.csv", members_csv(people, settings.seed, START), import_members),
            ("events.csv", events_csv(people, settings.seed, START), import_events),
        ):
            (folder / name).write_text(text, encoding="utf-8")
            bring(database, project.catalog, folder / name, now)
        with database.write() as connection:
            state.put(connection, _READY, True, now)
    app.server.start()


def _live_through(app: App, drive: Drive, settings: Settings, console: Console) -> None:
    end = START + timedelta(days=settings.days)
    screen = DemoScreen(console, START, end)
    database, clock = app.context.database, app.context.clock

    def told() -> None:
        if screen.wants_to_show(clock.now()):
            with database.read() as connection:
                screen.show(clock.now(), progress.progress(connection))

    with screen.running():
        drive.run_until(end, told)
    with database.read() as connection:
        screen.summary(
            clock.now(),
            progress.progress(connection),
            progress.journey_totals(connection),
            progress.shut_channels(connection),
        )


def _say_where(folder: Path, console: Console) -> None:
    config = folder / "config.yaml"
    console.print()
    console.print(f"The truth, as the phones saw it:  {folder / 'truth'}")
    console.print(
        f"Look into it:  engage --config {config} report   (or status, tasks, explain M00001, export answers)"
    )


def _phone_page(app: App, world: World, drive: Drive, port: int) -> Server:
    """Takes the port at once: better to hear that it is taken now than after all the days are lived through."""
    controls = DemoControls(app.context, world, drive)
    brand = app.context.applied.current().catalog.brand.name
    try:
        return Server(phone_app(world, controls, brand), "127.0.0.1", port)
    except ServerError as error:
        raise EngageError(
            f"the phone page cannot have port {port}; choose another with --port, or 0 for a free one",
            f"手机页面用不了端口 {port}；请用 --port 另选一个，写 0 则自动挑选空闲端口",
        ) from error


def _serve_phone(page: Server, drive: Drive, console: Console) -> None:
    page.start()
    console.print()
    console.print(f"[bold]Pick up a follower's phone:  {page.url}[/bold]   (Ctrl-C ends the demo)")
    try:
        drive.flow()
    finally:
        page.stop()
