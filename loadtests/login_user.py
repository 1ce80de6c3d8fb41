"""A person who logs in completely, looks at their profile a few times, and comes back later in a new browser."""

from __future__ import annotations

from identity_user import IdentityUser
from locust import task

from chaosblink.workloads.login import userinfo


class LoginUser(IdentityUser):
    """The mix `logins`."""

    @task
    def log_in(self) -> None:
        """A whole login on a fresh connection, then userinfo with time to think in between."""
        self._new_browser()
        options = self.environment.parsed_options
        tokens = self._login()
        if tokens is not None:
            for _ in range(options.userinfo_calls):
                self._think(options.think_s)
                with self._send(userinfo(tokens)):
                    pass  # its status is the verdict
        self._think(options.think_s)
