"""Wiring of the notifier: alerts in, messages out; the file of outgoing messages is its only memory."""

from services.notifier.notifying import AlertNotifier
from services.notifier.outgoing import Outgoing
from services.notifier.rules import NO_RULES, read_rules_file
from services.notifier.sending import AppriseSender, Pace
from services.notifier.settings import NotifierSettings
from shared.http.access import AUDIT, ScopedRoute
from shared.service.entries import entry_order
from shared.service.service import Service
from shared.wire.streams import ALERTS


def build_app(settings: NotifierSettings) -> Service:
    """Return the notifier. A start without a file begins behind the last entry: old alerts are no news."""
    service = Service("notifier", settings)
    rules = NO_RULES if settings.rules is None else read_rules_file(settings.rules)
    outgoing = Outgoing(settings.outgoing, settings.page_url)
    sender, pace = AppriseSender(rules, settings.send_timeout_s), Pace(settings.retry_s, settings.retry_max_s)
    notifier = AlertNotifier(service, settings.rules, rules, outgoing, sender, pace)
    service.facts = lambda: {"position": entry_order(notifier.entry)[1]}
    service.reads(ALERTS, after="0-0")(notifier.take_alerts)
    service.at_start.append(notifier.begin)
    service.run_beside(notifier.send)
    service.routes.append(ScopedRoute("/messages", notifier.answer, scope=AUDIT))
    service.at_end.append(notifier.end)
    return service
