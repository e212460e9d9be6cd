"""How a command ends: exit codes that mean something, and one clear line for every error."""

from __future__ import annotations

import signal
import sys
import traceback
from enum import IntEnum

from engage.core.problem import Lang, Said
from engage.core.redaction import anonymous
from engage.errors import ConfigError, EngageError


class Ending(IntEnum):
    DONE = 0
    NO = 1  # the answer is no, or problems were found
    USAGE = 2
    CONFIG = 3
    REFUSED = 4  # as things stand: another daemon, an old schema, stranded members
    FAULT = 5


def end_in_order_if_told() -> None:
    """SIGTERM ends this command as Ctrl-C does: what it has put on the disk for itself is cleared away. So does SIGINT
    where a shell that starts it in the background has it ignored."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)


class Refusal(Exception):
    """A command will not, or cannot, do what was asked. The words are final: in the reader's language."""

    def __init__(self, words: str, ending: Ending = Ending.REFUSED) -> None:
        super().__init__(words)
        self.ending = ending


def tell(error: Exception, lang: Lang) -> Ending:
    """Say it on stderr. A traceback only for what nobody foresaw: that one is ours, and we need it."""
    ending = _ending_of(error)
    if ending is Ending.FAULT and not isinstance(error, OSError) and not _is_the_databases(error):
        print(anonymous("".join(traceback.format_exception(error))), file=sys.stderr)
    print(f"engage: {_words(error, lang)}", file=sys.stderr)
    return ending


def _ending_of(error: Exception) -> Ending:
    match error:
        case Refusal():
            return error.ending
        case ConfigError():
            return Ending.CONFIG
        case EngageError():
            return Ending.REFUSED
        case _:
            return Ending.FAULT


def _words(error: Exception, lang: Lang) -> str:
    match error:
        case ConfigError():
            return error.said.in_(lang)
        case Refusal():
            return str(error)
        case EngageError():
            return anonymous(error.said.in_(lang))
        case OSError():
            return f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}"
        case _ if _is_the_databases(error):
            why = anonymous(str(getattr(error, "orig", None) or error))
            return Said(f"the database refuses: {why}", f"数据库拒绝了操作：{why}").in_(lang)
        case _:
            what = anonymous(f"{type(error).__name__}: {error}")
            return Said(f"something unforeseen happened ({what})", f"发生了没有预料到的错误（{what}）").in_(lang)


def _is_the_databases(error: Exception) -> bool:
    from sqlalchemy.exc import SQLAlchemyError  # slow to import; most commands end well

    return isinstance(error, SQLAlchemyError)
