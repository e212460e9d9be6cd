"""A project from its first minute to its first report, by the real commands: in processes of their own until the daemon
has done its work, then, to look at what came of it, in this one."""

import io
import json
import logging
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import threading
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
import structlog

from engage.cli.app import main
from engage.store import state
from engage.store.databases.database import Database

# Whatever the hour, this is the same: no channel is set up, so the message is skipped and says why.
_CARE = """\
journey: 新单关怀
start: { event: order_paid }
per: event.order_id
reentry: always
topic: service
steps:
  - send: welcome
  - notify: 客服一组
    task: 给 {{ member.name }} 打个电话，问问茶怎么样
    due: 1d
  - wait_for: task_done
    up_to: 2d
    then:
      - update:
          add: { tag: 已关怀 }
"""
_MEMBERS = """\
会员号,姓名,手机,邮箱,备注
M1,王芳,138 0013 8000,wang@example.com,老顾客
M2,李雷,12345,li@example.com,
"""


@dataclass
class Project:
    folder: Path

    def start(self, *args: str, **more: object) -> subprocess.Popen[str]:
        environment = {**os.environ, "LC_ALL": "C.UTF-8"}
        command = [sys.executable, "-m", "engage", *args]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(command, cwd=self.folder, env=environment, **pipes, **more)

    def run(self, *args: str, code: int = 0) -> str:
        """A process of its own. Both of its streams."""
        process = self.start(*args)
        out, err = process.communicate(timeout=60)
        assert process.returncode == code, f"engage {' '.join(args)} ended with {process.returncode}\n{out}\n{err}"
        assert "Traceback" not in out + err
        return out + err

    def engage(self, *args: str, code: int | None = 0) -> str:
        """The same in this process: quicker. `code` None: whatever it ends with."""
        out = io.StringIO()
        with chdir(self.folder), redirect_stdout(out), redirect_stderr(out), pytest.raises(SystemExit) as ended:
            main(["--lang", "en", *args])
        assert code in (None, int(ended.value.code or 0)), out.getvalue()
        assert "Traceback" not in out.getvalue()
        return out.getvalue()

    def json(self, *args: str, code: int | None = 0):
        return json.loads(self.engage(*args, "--json", code=code))

    def rows(self, what: str):
        return [json.loads(line) for line in self.engage("export", what).splitlines()]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


@pytest.fixture(scope="module", autouse=True)
def _logging_as_before():
    """Commands in this process set up logging for themselves; what they set up ends with these tests."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Made by `engage init`, with a journey of its own, a free web port, and no channels."""
    place = Project(tmp_path_factory.mktemp("story"))
    place.run("init", "shop")
    place.folder /= "shop"
    config = place.folder / "config.yaml"
    text = config.read_text(encoding="utf-8").replace("port: 8080", f"port: {_free_port()}")
    text = text.replace("port: 8081", "port: 0")
    head, _, tail = text.partition("\nchannels:\n")
    config.write_text(f"{head}\nchannels: {{}}\n{tail[tail.index('policy:') :]}", encoding="utf-8")
    (place.folder / "journeys" / "care.yaml").write_text(_CARE, encoding="utf-8")
    (place.folder / "members.csv").write_text(_MEMBERS, encoding="utf-8")
    now = datetime.now(UTC).isoformat()  # an order of this minute is news; the daemon lives in real time
    order = f"id,member,event,at,order_id,amount\nA1,M1,order_paid,{now},A1,168\n"
    (place.folder / "orders.csv").write_text(order, encoding="utf-8")
    return place


@pytest.fixture(scope="module")
def applied(project):
    project.run("check")
    assert "engage apply" in project.run("status", code=4)
    assert "Made the database" in project.run("apply", "--yes")
    return project


@pytest.fixture(scope="module")
def lived(applied):
    """Members and an order are brought in, and a daemon has run until there was nothing left to do."""
    assert "1 accepted, 1 refused" in applied.engage("import", "members", "members.csv", code=1)
    assert "1 accepted" in applied.engage("import", "events", "orders.csv")
    rehearsal = applied.json("run", "--dry-run")
    assert (rehearsal["fresh_events"], rehearsal["messages"]) == (2, [])
    daemon = applied.start("run")
    try:
        while not any(row["status"] == "skipped" for row in applied.rows("deliveries")):
            assert daemon.poll() is None, daemon.communicate()
        assert f":{daemon.pid})" in applied.run("run", code=4)
        assert applied.json("status")["daemons"] == [f"{socket.gethostname()}:{daemon.pid}"]
    finally:
        daemon.send_signal(signal.SIGTERM)
        out, err = daemon.communicate(timeout=30)
    assert daemon.returncode == 0
    assert "Engage runs 8 journeys" in out
    assert [json.loads(line)["event"] for line in err.splitlines()][-1] == "daemon_stopped"
    assert "wang@example.com" not in err
    return applied


def test_importing_the_same_again_changes_nothing(lived):
    again = lived.json("import", "members", "members.csv", code=1)
    assert (again["accepted"], again["repeated"], again["refused"]) == (0, 1, 1)
    assert [row["row"] for row in again["refused_rows"]] == [3]


def test_status_tells_what_stands_where(lived):
    status = lived.json("status", code=1)  # no daemon runs any more
    assert status["daemons"] == []
    assert status["applied"]["care"] == 1
    assert status["files_that_differ"] == []
    assert [(s["journey_id"], s["members"]) for s in status["enrolments"]] == [("care", 1)]
    assert status["inbox"] == {"unread": 0, "unreadable": 0, "fresh_events": 0}


def test_explain_tells_the_trail_by_name_and_by_phone_number(lived):
    story = lived.json("explain", "王芳", "care")
    (run,) = story["runs"]
    told = [(line["what"], line["step"]) for line in run["lines"]]
    assert told == [
        ("enter", None),
        ("message", "welcome"),
        ("notify", "notify-客服一组"),
        ("wait_for", "wait_for-task_done"),
    ]
    assert run["lines"][1]["message"]["status"] == "skipped"
    shown = lived.engage("explain", "138 0013 8000")
    assert "send welcome — skipped: no channel can be used" in shown
    assert "task for 客服一组" in shown


def test_explain_tells_what_is_in_the_way_and_what_was_misspelt(lived):
    story = lived.json("explain", "M1", "winback")
    (door,) = story["not_entered"]
    assert [check["why"] for check in door["checks"] if check["holds"] is False] == ["segment_not_in"]
    assert "✗ start" in lived.engage("explain", "M1", "winback")
    assert "did you mean `winback`?" in lived.engage("explain", "M1", "winbak", code=1)
    assert "did you mean 王芳?" in lived.engage("explain", "王方", code=1)
    assert "is not a time" in lived.engage("explain", "M1", "--at", "someday", code=2)
    assert "did you mean `welcome`?" in lived.engage("explain", "M1", "care", "--step", "welcom", code=1)
    assert lived.json("explain", "M1", "care", "--at", "2020-01-01")["runs"] == []


def test_trace_follows_an_order_from_the_file_to_the_message_it_led_to(lived):
    chain = lived.json("trace", "run:1")
    (delivery,) = [link["facts"]["id"] for link in chain["links"] if link["what"] == "queued"]
    told = lived.engage("trace", f"delivery:{delivery}")
    assert "run:1 through care v1 began with event:" in told
    assert "it stands at skipped: no channel can be used" in told
    (run,) = [link for link in chain["links"] if link["what"] == "run"]
    event = lived.json("trace", run["facts"]["occurrence"])
    assert [link["what"] for link in event["links"]] == ["received", "read", "event", "run"]
    several = lived.engage("trace", "1", code=1)
    assert "delivery:1" in several
    assert "inbound:1" in several
    assert "Looked for" in lived.engage("trace", "no-such-thing", code=1)


def test_preview_shows_the_words_and_what_samples_stand_for(lived):
    assert "王芳您好" in lived.engage("preview", "welcome", "M1", "--channel", "sms")
    sheets = {sheet["channel"]: sheet for sheet in lived.json("preview", "nps_promoter", "M1")}
    assert set(sheets) == {"wechat", "sms", "email"}
    assert not any(sheet["missing"] for sheet in sheets.values())
    page = lived.folder / "mail.html"
    lived.engage("preview", "birthday", "M1", "--channel", "email", "--html", str(page))
    assert "<html" in page.read_text(encoding="utf-8")


def test_a_task_is_closed_once_and_its_journey_hears_of_it(lived):
    (task,) = lived.json("tasks")
    assert (task["member"], task["team"], task["words"]) == ("M1", "客服一组", "给 王芳 打个电话，问问茶怎么样")
    lived.engage("tasks", "close", str(task["id"]), "--outcome", "很满意", "--by", "小王")
    assert "closed already" in lived.engage("tasks", "close", str(task["id"]), "--outcome", "again", code=4)
    assert "no task 999" in lived.engage("tasks", "close", "999", "--outcome", "x", code=1)
    (done,) = [row for row in lived.rows("events") if row["event"] == "task_done"]
    assert (done["member"], done["payload"], done["journey"]) == ("M1", {"outcome": "很满意"}, "care")
    assert done["enrolment_id"] is not None
    (closed,) = lived.rows("tasks")
    assert (closed["closed_by"], closed["outcome"]) == ("小王", "很满意")


def test_report_counts_what_the_exports_hold(lived):
    report = lived.json("report", "--days", "1")
    assert report["messages"] == []
    assert [(s["journey_id"], s["reason"], s["count"]) for s in report["skipped"]] == [
        ("care", "no channel can be used", 1)
    ]
    (care,) = [row for row in report["enrolments"] if row["journey_id"] == "care"]
    assert (care["entered"], care["live"]) == (1, 1)
    assert report["nps"]["n"] == 0
    assert "no channel can be used" in lived.engage("report")
    lived.engage("report", "--from", "2026-02-01", "--to", "2026-01-01", code=2)


def test_a_pause_is_shown_and_taken_back(lived):
    lived.engage("pause", "journey:care", "--reason", "盘点")
    (paused,) = lived.json("status", code=1)["paused"]
    assert (paused["scope"], paused["reason"]) == ("journey:care", "盘点")
    lived.engage("pause", "journey:nowhere", code=1)
    lived.engage("resume", code=1)  # “all” was never paused
    lived.engage("resume", "journey:care")


def test_a_pause_is_had_while_somebody_else_writes_without_a_break_and_with_no_file_that_can_be_read(lived):
    """Whoever reaches for the switch has other worries than what else is wrong."""
    broken = lived.folder / "journeys" / "broken.yaml"
    broken.write_text("journey: [\n", encoding="utf-8")
    stop = threading.Event()
    writing = threading.Thread(target=_write_without_a_break, args=(lived.folder / "engage.db", stop))
    writing.start()
    try:
        lived.run("pause")
        lived.run("resume")
    finally:
        stop.set()
        writing.join()
        broken.unlink()


def _write_without_a_break(file, stop):
    database = Database(f"sqlite:///{file}")
    while not stop.wait(0.001):
        with database.write() as connection:
            state.put(connection, "hammered", 1, datetime.now(UTC))
    database.close()


def test_nothing_is_held_back_and_what_is_not_there_cannot_be_approved(lived):
    assert "Nothing is held back" in lived.engage("approve")
    assert "no hold-7 that waits" in lived.engage("approve", "hold-7", code=1)
    assert "no plan-nowhere that waits" in lived.engage("approve", "plan-nowhere", "--by", "王芳", code=1)
    refused = lived.engage("approve", "plan-nowhere", "--refuse", "--by", "王芳", code=2)
    assert "only a start that is held back is refused" in refused


def test_a_backup_that_is_brought_back_stands_still_until_somebody_says_that_it_is_to_go_on(lived):
    assert "was not found to be a copy" in lived.engage("resume", "--restored", code=1)
    lived.engage("db", "backup", "copy.db")
    shutil.move(lived.folder / "copy.db", lived.folder / "engage.db")
    daemon = lived.start("run")
    try:
        while lived.json("status", code=None)["paused"] == []:
            assert daemon.poll() is None, daemon.communicate()
        (paused,) = lived.json("status", code=None)["paused"]
        assert paused["scope"] == "restored"
        assert "engage resume --restored" in lived.engage("resume", code=1)
        shown = lived.engage("resume", "--restored", code=4)
        assert "Due by now: 0 messages that wait, and 0 members" in shown
        assert "--drop-due" in shown
        assert "a second time" in shown  # of later steps, whatever becomes of what is due
        lived.engage("resume", "--drop-due", code=2)
        assert "It goes on from here" in lived.engage("resume", "--restored", "--drop-due")
        assert lived.json("status", code=None)["paused"] == []
    finally:
        daemon.send_signal(signal.SIGTERM)
        out, _ = daemon.communicate(timeout=60)
    assert "was brought back from a copy" in out
    assert lived.engage("resume", "--restored", code=1)  # nobody has to say it twice


def test_an_edit_that_members_on_their_way_notice_is_shown_applied_by_name_and_taken_back(lived):
    file = lived.folder / "journeys" / "care.yaml"
    assert "No changes" in lived.engage("plan")
    file.write_text(_CARE.replace("  - wait_for: task_done\n    up_to: 2d\n", "  - wait_for: clicked\n    up_to: 2d\n"))
    assert lived.json("status", code=1)["files_that_differ"] == ["journeys/care.yaml"]
    plan = lived.json("plan")
    (care,) = plan["journeys"]
    (gone,) = care["steps"]
    assert (gone["old"], gone["standing"], gone["to"]) == ("wait_for-task_done", 1, None)
    assert gone["perhaps"] == "wait_for-clicked"
    shown = lived.engage("apply", code=4)
    assert "1 waiting here → the journey ends for them" in shown
    assert "was: wait_for-task_done" in shown
    assert f"engage apply {plan['plan']}" in shown
    file.write_text(_CARE.replace("send: welcome", "send: welcom"))
    assert "did you mean `welcome`" in lived.engage("apply", "--yes", code=1)
    file.write_text(_CARE)
    assert "Nothing has changed" in lived.engage("apply", "--yes")
    assert "Applied" in lived.engage("apply", plan["plan"])  # the files as they were when it was shown
    assert f"{plan['plan']} was applied already" in lived.engage("apply", plan["plan"], code=4)
    assert "1 members are where they were, 0 had gone on" in lived.engage("apply", "--undo", plan["plan"])
    assert "No changes" in lived.engage("plan")
    assert "there is no plan plan-zzzz" in lived.engage("apply", "plan-zzzz", code=4)
    assert "plan-zzzz was never applied" in lived.engage("apply", "--undo", "plan-zzzz", code=4)


def test_a_backup_is_a_whole_database_and_overwrites_nothing(lived):
    lived.engage("db", "backup", "copy.db")
    assert [path.name for path in lived.folder.glob("copy.db*")] == ["copy.db"]
    lived.engage("db", "backup", "copy.db", code=4)
    assert "cannot be made" in lived.engage("db", "backup", "no/such/folder/copy.db", code=4)
    config = lived.folder / "config.yaml"
    (lived.folder / "copy.yaml").write_text(config.read_text("utf-8").replace("///engage.db", "///copy.db"), "utf-8")
    assert '"M1"' in lived.engage("--config", "copy.yaml", "export", "members")
    lived.engage("db", "upgrade")


def test_a_backup_that_finds_no_room_says_so_and_leaves_nothing_behind(lived):
    """No file may be longer here than the beginning of this one."""
    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (65536, 65536))
    process = lived.start("db", "backup", "no-room.db", preexec_fn=limit)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 4, out + err
    assert "could not be written" in err
    assert "Traceback" not in err
    assert not list(lived.folder.glob("no-room.db*"))


def test_csv_goes_to_a_file(lived):
    lived.engage("export", "members", "--format", "csv", "--out", "members-out.csv")
    text = (lived.folder / "members-out.csv").read_text(encoding="utf-8-sig")
    assert text.splitlines()[1].startswith("1,M1,王芳,")
