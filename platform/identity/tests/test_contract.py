"""ZITADEL's contract at one node, by the very tests that the conformance suite runs on a whole platform."""

from __future__ import annotations

from suites.identity.contract_logins import *  # noqa: F403
from suites.identity.contract_machines import *  # noqa: F403
from suites.identity.contract_refusals import *  # noqa: F403
