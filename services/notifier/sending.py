"""Sending of messages through Apprise, with the key as Message-ID or Idempotency-Key, and the tries of those due."""

import logging
import re
import time
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from email.utils import make_msgid
from typing import Any, NamedTuple
from urllib.parse import unquote

import apprise
from apprise.plugins.email import base as email_plugin

from services.notifier.outgoing import Message, Outgoing
from services.notifier.rules import Rules, RulesError

_PART = re.compile(r"[/:@?&=]+")  # between the parts of an address
_SECRET_MIN = 4  # characters

_message_id: ContextVar[str | None] = ContextVar("message_id", default=None)


def _make_message_id(idstring: str | None = None, domain: str | None = None) -> str:
    return _message_id.get() or make_msgid(idstring, domain)


# Apprise gives each e-mail a Message-ID of its own, and takes none: a message sent again would look like another one
email_plugin.make_msgid = _make_message_id  # type: ignore[attr-defined]

Send = Callable[[Message], str | None]
"""Sends a message; returns why it could not."""


class Pace(NamedTuple):
    """Seconds between the tries to send a message."""

    retry_s: float
    retry_max_s: float

    def wait_s(self, tries: int) -> float:
        """Return the seconds from a try on, given the tries before it."""
        return float(min(self.retry_s * 2 ** min(tries, 30), self.retry_max_s))


class AppriseSender:
    """Sends messages to the targets of some rules."""

    def __init__(self, rules: Rules, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        # no image, no telemetry, and no second try of its own: a try is noted before it begins
        self.asset = apprise.AppriseAsset(app_id="Waferline", app_desc="Waferline", image_url_mask="", async_mode=False)
        # its warnings are the reason of a message that was not sent, and may name an address: they are no lines of ours
        logging.getLogger("apprise").propagate = False
        self.use(rules)

    def use(self, rules: Rules) -> None:
        """Send by these rules from now on.

        Raise `RulesError` where an address with a secret is not in a file, or an address has several recipients.
        """
        for name, target in rules.targets.items():
            address = ""
            with suppress(OSError, UnicodeDecodeError):  # its file may come later: each try says that it lacks
                address = target.address()
            plugin: Any = apprise.Apprise.instantiate(address, asset=self.asset) if address else None
            if plugin is not None and target.url and _shown(plugin) != plugin.url(privacy=False):
                raise RulesError(
                    f"targets.{name}: its address has a password or a token: write it into a file beside the rules, "
                    "readable by nobody else, and name that with url_file"
                )
            if plugin is not None and len(plugin) > 1:
                raise RulesError(f"targets.{name}: {_several(plugin)}")
        self.rules = rules

    def send(self, message: Message) -> str | None:
        """Send a message to its target; return why it could not be sent, None where the target has taken it."""
        target = self.rules.targets.get(message.target)
        if target is None:
            return f"{message.target} is no target any more"
        try:
            address = target.address()
        except (OSError, UnicodeDecodeError) as why:
            return f"its address cannot be read: {getattr(why, 'strerror', None) or 'no text'}: {target.url_file}"
        separator = "&" if "?" in address else "?"
        plugin = apprise.Apprise.instantiate(
            f"{address}{separator}cto={self.timeout_s}&rto={self.timeout_s}", asset=self.asset
        )
        if plugin is None:
            return f"the address of {message.target} is none that Apprise knows"
        if len(plugin) > 1:  # a try that one of them refuses would be sent to the others again
            return _several(plugin)
        if hasattr(plugin, "headers"):  # of an e-mail, or of a request that takes any
            plugin.headers["Idempotency-Key"] = message.key
        token = _message_id.set(f"<{message.key}@waferline>")
        try:
            with apprise.LogCapture(level=logging.WARNING, fmt="%(message)s") as captured:  # type: ignore[no-untyped-call]
                is_taken = plugin.notify(body=message.body, title=message.title, body_format=apprise.NotifyFormat.TEXT)
                reason = captured.getvalue().strip().replace("\n", "; ")
        finally:
            _message_id.reset(token)
        if is_taken:
            return None
        return without_secrets(reason, address, _shown(plugin)) or "the target did not take it"


def _shown(plugin: Any) -> str:
    """Return the address of a target as Apprise shows it: without passwords and tokens."""
    return str(plugin.url(privacy=True))


def _several(plugin: Any) -> str:
    return f"its address has {len(plugin)} recipients: make each a target of its own"


def without_secrets(text: str, address: str, shown: str) -> str:
    """Return a text without the parts of an address that Apprise does not show."""
    parts = set(_PART.split(address)) - set(_PART.split(shown))
    parts |= {unquote(part) for part in parts}
    for part in sorted(parts, key=len, reverse=True):
        text = text.replace(part, "****") if len(part) >= _SECRET_MIN else text
    return text


def send_due(
    outgoing: Outgoing,
    send: Send,
    pace: Pace,
    report: Callable[[Message, str | None, float], None],
    is_stopping: Callable[[], bool] = lambda: False,
) -> int:
    """Try each message that is due, and return how many were tried; `report` gets each, its failure and the seconds.

    A target that does not take one is left alone until that one is due again: one that is away holds up no other. What
    is due when the notifier stops is sent by the next one.
    """
    tried = 0
    while not is_stopping() and (message := outgoing.next_due(time.time())) is not None:
        began, wait_s = time.monotonic(), pace.wait_s(message.tries)
        outgoing.begin_try(message, time.time() + wait_s)
        reason = send(message)
        if reason is None:
            outgoing.note_sent(message, time.time())
        else:
            outgoing.note_failed(message, reason, time.time() + wait_s)
        report(message, reason, time.monotonic() - began)
        tried += 1
    return tried
