"""Alerts of Prometheus' Alertmanager and of Grafana, whose webhooks have nearly the same body.

https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/integrations/webhook-notifier/

One alert is one line. Several are counted in the first line and listed below it.
"""

from collections import Counter

from .sentences import Said, counted, listed, sentence, titled
from .value import Value

TELLING = ("severity", "instance", "job", "namespace", "service")  # labels that tell an alert from its brothers


def alertmanager(_event: str, body: Value) -> Said | str | None:
    """Return what a group of alerts says."""
    return _alerts(body, "externalURL")


def grafana(_event: str, body: Value) -> Said | str | None:
    """Return what a notification says; that of Grafana before 9 has no list of alerts."""
    if not body.count("alerts") and (state := body.name("state")):
        what = body.line("ruleName") or body.line("title")
        return sentence("", state.upper(), titled(what, body.line("message")), link=body.link("ruleUrl"))
    return _alerts(body, "externalURL")


def _alerts(body: Value, home: str) -> str | None:
    alerts = list(body.each("alerts"))
    if not alerts:
        return sentence("", _status(body), body.line("title") or "alerts", link=body.link(home))
    if len(alerts) == 1:
        alert = alerts[0]
        links = (alert.link(name) for name in ("panelURL", "dashboardURL", "generatorURL"))
        return sentence("", _alert(alert), link=next(filter(None, links), "") or body.link(home))
    states = Counter(map(_status, alerts))
    head = ", ".join(f"{count} {status}" for status, count in sorted(states.items()))
    names = list(dict.fromkeys(filter(None, (alert.name("labels", "alertname") for alert in alerts))))
    what = names[0] if len(names) == 1 else counted(len(names), "rule")
    head = sentence("", f"{head}:" if what else head, what, link=body.link(home))
    return listed(head, map(_alert, alerts), max(body.number("truncatedAlerts") or 0, 0))


def _status(value: Value) -> str:
    return value.name("status").upper() or "ALERT"


def _alert(alert: Value) -> str:
    """Return one alert: its state, its name, what it says, and the labels that tell it from others."""
    notes, labels = alert.at("annotations"), dict(alert.pairs("labels"))
    said = notes.line("summary") or notes.line("message") or notes.line("description")
    telling = ", ".join(f"{name}={labels[name]}" for name in TELLING if name in labels and labels[name] not in said)
    name = titled(labels.get("alertname", ""), said)
    return sentence("", _status(alert), name, f"({telling})" if telling else "")
