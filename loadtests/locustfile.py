"""Login load on the identity, for `locust -f loadtests/locustfile.py`; a run starts it, and it runs alone too.

    LOGIN_CA_FILE=ca.crt LOGIN_PASSWORD_FILE=user-password LOGIN_CLIENT_TOKEN_FILE=login-client-token \\
        locust -f loadtests/locustfile.py --headless --host https://ADDRESS:443 --users 20 --run-time 60s \\
        --shape steady --logins logins.jsonl

`--host` may be the edge's address: requests carry the name in LOGIN_HOST (default identity.blinkchamber.test) in SNI,
certificate check and Host header. LOGIN_ADDRESSES (`a,b`, the first as in `--host`) names several edges: the next is
tried where one refuses. `--mix everyday` adds what applications, APIs and machines do (loadtests/mix.py); its
introspection uses the secret in LOGIN_API_SECRET_FILE (default: the login client's token). LOGIN_USERS (default 100)
says how many users were seeded. Secrets come from files named in the environment and never from arguments. Without
`--headless` the web page has the same fields.
"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from addresses import install
from locust import LoadTestShape, events
from login_log import LoginLog
from login_user import LoginUser
from mix import MIXES
from mixed_user import MixedUser
from shapes import SHAPES, Load

__all__ = ["ChosenShape", "LoginUser", "MixedUser"]


@events.init_command_line_parser.add_listener
def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--shape", choices=sorted(SHAPES), default="steady", help="how the number of users changes")
    parser.add_argument("--mix", choices=sorted(MIXES), default="logins", help="what the users do (loadtests/mix.py)")
    parser.add_argument("--step-s", type=float, default=30.0, help="step and spike: seconds between changes")
    parser.add_argument("--userinfo-calls", type=int, default=3, help="userinfo requests after each login")
    parser.add_argument("--think-s", type=float, default=1.0, help="mean seconds a person waits between requests")
    parser.add_argument("--logins", default="", help="file that gets one JSON line a request")


@events.init.add_listener
def _choose_users(environment: Any, **_: Any) -> None:
    """The people alone, or the customers of a mix."""
    environment.user_classes = [LoginUser if environment.parsed_options.mix == "logins" else MixedUser]


@events.test_start.add_listener
def _start(environment: Any, **_: Any) -> None:
    install()
    if environment.parsed_options.logins:
        log = LoginLog(environment.parsed_options.logins)
        environment.events.request.add_listener(log.request)
        environment.events.test_stop.add_listener(log.close)


class ChosenShape(LoadTestShape):
    """The shape named by `--shape`; `--users` is its peak, and it ends after `--run-time` (if given) by itself.

    Locust arms its own limit only once a shape has ended, so a shape without one would run for ever.
    """

    use_common_options = True

    def tick(self) -> tuple[int, float] | None:
        """Users wanted now, and how many to start a second; None ends the load."""
        assert self.runner is not None
        options: Any = self.runner.environment.parsed_options
        if options.run_time and self.get_run_time() >= options.run_time:
            return None
        load = Load(options.num_users or 1, options.spawn_rate or 10, options.step_s)
        return SHAPES[options.shape](self.get_run_time(), load)
