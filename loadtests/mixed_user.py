"""One customer: a person who logs in, the application and API they use, a machine of theirs, in a stated mix."""

from __future__ import annotations

import random
import secrets

import token_requests
from identity_user import IdentityUser, secret, setting
from locust import task
from locust.exception import StopUser
from mix import MIXES

from chaosblink.workloads.login import Answer, Tokens, check, userinfo


class MixedUser(IdentityUser):
    """Every mix that `--mix` can name beside `logins`. A machine is made for each user and removed at the end."""

    scope = "openid profile email offline_access"

    def on_start(self) -> None:
        """Take a person, make a machine; the user ends when the identity refuses that."""
        super().on_start()
        self._new_browser()
        self._mix = MIXES[self.environment.parsed_options.mix]
        self._chance = random.Random()
        self._api_secret = secret("LOGIN_API_SECRET_FILE", setting("LOGIN_CLIENT_TOKEN_FILE"))
        self._tokens: Tokens | None = None
        self._machine = f"machine-{secrets.token_hex(8)}"
        self._machine_id = self._field(token_requests.add_machine(self._person, self._machine), "id")
        added = token_requests.add_secret(self._person, self._machine_id)
        self._machine_secret = self._field(added, "clientSecret")

    def on_stop(self) -> None:
        """Remove the machine."""
        if getattr(self, "_machine_id", ""):
            self._judged(token_requests.remove_machine(self._person, self._machine_id), lambda answer: answer.status)

    @task
    def operation(self) -> None:
        """The next operation of the mix; a login in place of one that needs tokens nobody has."""
        chosen = self._mix.draw(self._chance)
        if chosen == "machine-login":
            request = token_requests.machine_login(self._machine, self._machine_secret)
            self._judged(request, lambda answer: token_requests.value("machine-login", answer, "access_token"))
        elif chosen == "login" or self._tokens is None:
            self._new_browser()
            self._tokens = self._login()
        else:
            self._with_tokens(chosen, self._tokens)
        self._think(self.environment.parsed_options.think_s)

    def _with_tokens(self, chosen: str, tokens: Tokens) -> None:
        """An application that lost its tokens sends its user to log in again."""
        if chosen == "refresh":
            request = token_requests.refresh(self._person, tokens)
            self._tokens = self._judged(request, lambda answer: token_requests.renewed(answer, tokens))
        elif chosen == "introspect":
            request = token_requests.introspect(tokens, self._api_secret)
            self._tokens = self._judged(request, lambda answer: _introspected(answer, tokens))
        else:
            self._tokens = self._judged(userinfo(tokens), lambda answer: _looked(answer, tokens))

    def _field(self, request: token_requests.Request, name: str) -> str:
        found = self._judged(request, lambda answer: token_requests.value(request.step, answer, name))
        if found is None:
            raise StopUser
        return found


def _introspected(answer: Answer, tokens: Tokens) -> Tokens:
    token_requests.introspected(answer, tokens)
    return tokens


def _looked(answer: Answer, tokens: Tokens) -> Tokens:
    check("userinfo", answer)
    return tokens
