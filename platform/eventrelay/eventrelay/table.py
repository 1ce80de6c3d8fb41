"""The table: which of the owner's events each ZITADEL event becomes, and which list that goes to."""

from __future__ import annotations

QUEUES = ("high", "normal", "low")
"""The three classes, in the order in which a consumer empties them."""

CLASSES = {
    "auth.login": "high",
    "auth.logout": "high",
    "auth.failed": "high",
    "user.created": "normal",
    "org.created": "normal",
    "project.created": "normal",
    "user.profile_viewed": "low",
    "analytics.page_viewed": "low",
}
"""The owner's events (`zitadel.config.events.queues`). No ZITADEL event becomes one of the last two: ZITADEL writes
down what changed, and looking at a profile or a page changes nothing."""

TABLE = {
    # A login is told once, when its tokens are issued; the checks on the way there are in the rest.
    "oidc_session.added": "auth.login",
    "saml_session.added": "auth.login",
    "session.terminated": "auth.logout",
    "user.human.signed.out": "auth.logout",
    "auth_request.failed": "auth.failed",
    "idpintent.failed": "auth.failed",
    "user.human.password.check.failed": "auth.failed",
    "user.human.mfa.otp.check.failed": "auth.failed",
    "user.human.otp.sms.check.failed": "auth.failed",
    "user.human.otp.email.check.failed": "auth.failed",
    "user.human.mfa.u2f.token.check.failed": "auth.failed",
    "user.human.passwordless.token.check.failed": "auth.failed",
    "user.human.added": "user.created",
    "user.human.selfregistered": "user.created",
    "user.machine.added": "user.created",
    "org.added": "org.created",
    "project.added": "project.created",
}
"""ZITADEL's event types (its source, `internal/repository/*`) and what each becomes."""

REST = "low"
"""Every other event of ZITADEL goes here under its own name, so that none is dropped: that feeds the low list."""


def classify(event_type: str) -> tuple[str, str]:
    """List (`high`) and name (`auth.login`) of a ZITADEL event; an event the table does not know keeps its name."""
    name = TABLE.get(event_type)
    return (CLASSES[name], name) if name else (REST, event_type)
