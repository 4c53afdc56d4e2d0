"""Make, list and revoke access tokens."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from maintenance.upgrades.ensure_schema import ensure_schema
from orchestrator_site.accounts.owner import user_named
from orchestrator_site.kernel.output import NotPrinted, PlainCommand
from orchestrator_site.kernel.times import relative_time
from orchestrator_site.management.errors import command_errors
from orchestrator_site.models import AccessToken
from orchestrator_site.tokens.formatting import DESCRIPTIONS, find_project, parse_expiry
from orchestrator_site.tokens.service import DEFAULT_SCOPES, create_token, find_token, revoke_token, tokens_of

_COLUMNS = ("ID", "TOKEN", "SCOPES", "PROJECT", "MADE", "LAST USED", "EXPIRES", "STATE")


class Command(PlainCommand):
    help = "Make, list and revoke access tokens for MCP over HTTP and the REST API."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="create|list|revoke")
        create = verbs.add_parser("create", help="make a token and print its secret, which is shown only once")
        create.add_argument("name", help="what it is for, such as laptop")
        create.add_argument(
            "--scopes",
            default=",".join(DEFAULT_SCOPES),
            help="; ".join(f"{scope}: {description}" for scope, description in DESCRIPTIONS.items())
            + " Default: %(default)s",
        )
        create.add_argument("--project", metavar="SLUG|DIR", help="the only project that it may access")
        create.add_argument("--expires", default="never", metavar="TIME", help="12h, 30d, 8w or 2031-12-31; or never")
        create.add_argument("--user", help="its owner (default: the owner of this machine)")
        shown = verbs.add_parser("list", help="list the tokens of all users, without their secrets")
        shown.add_argument("--user", help="list those of one user")
        shown.add_argument("--json", action="store_true", help="print JSON")
        revoke = verbs.add_parser("revoke", help="revoke a token permanently")
        revoke.add_argument("token", metavar="NAME_OR_ID")
        revoke.add_argument("--user", help="its owner, if several users have a token of that name")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print results on stdout, so that they can be piped, and everything else on stderr."""
        verbs: dict[str, Callable[..., None]] = {"create": self._create, "list": self._list, "revoke": self._revoke}
        with command_errors():
            ensure_schema()
            verbs[options["verb"]](**options)

    def _create(self, *, name: str, scopes: str, project: str | None, expires: str, **options: Any) -> None:
        self.stdout.require()
        token, secret = create_token(
            owner=user_named(options["user"]),
            name=name,
            scopes=scopes.replace(",", " ").split(),
            project=find_project(project) if project is not None else None,
            expires_at=parse_expiry(expires),
        )
        try:
            self.stdout.write(secret)
        except NotPrinted:  # now no one has it
            revoke_token(token=token)
            raise
        where = f"the project {token.project.slug}" if token.project else "every project"
        end = f"until {token.expires_at:%Y-%m-%d %H:%M} UTC" if token.expires_at else "until it is revoked"
        self.stderr.write(f"{token.public_id} ({token}) may {', '.join(token.scopes)} in {where}, {end}.")
        self.stderr.write("The secret is shown only once. Send it as the header: Authorization: Bearer SECRET")

    def _list(self, **options: Any) -> None:
        rows = tokens_of(user_named(options["user"]) if options["user"] else None)
        if options["json"]:
            self.stdout.write(json.dumps([_facts(token) for token in rows.iterator()], indent=2))
        elif rows.exists():
            lines = [_COLUMNS, *map(_cells, rows.iterator())]
            widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
            self.stdout.write("\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines))
        else:
            self.stderr.write("No access tokens. Make one with: python manage.py token create NAME")

    def _revoke(self, *, token: str, **options: Any) -> None:
        found = find_token(token, owner=user_named(options["user"]) if options["user"] else None)
        was_active = revoke_token(token=found)
        self.stderr.write(f"{found.public_id} ({found}) {'is' if was_active else 'was already'} revoked.")


def _facts(token: AccessToken) -> dict[str, Any]:
    times = ("created_at", "last_used_at", "expires_at", "revoked_at")
    return {
        "id": token.public_id,
        "name": token.name,
        "owner": token.owner.get_username(),
        "scopes": token.scopes,
        "project": token.project.slug if token.project else None,
        "state": token.state,
        **{name: time.isoformat() if (time := getattr(token, name)) else None for name in times},
    }


def _cells(token: AccessToken) -> tuple[str, ...]:
    project = token.project.slug if token.project else "every"
    now = timezone.now()
    dates = (token.created_at, token.last_used_at, token.expires_at)
    times = (relative_time(time, now) if time else "never" for time in dates)
    return (token.public_id, str(token), ",".join(token.scopes), project, *times, token.state)
