"""`manage.py sign_in_link`, with and without a running site."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

from tests.site.processes import ROOT, manage, start

MAKE = """
import sys, django
django.setup()
from orchestrator_site.accounts.links import make_link
from orchestrator_site.accounts.owner import local_owner
assert make_link(local_owner()).startswith("/sign-in/")
print([name for name in sys.modules if name in ("orchestrator_site.urls", "tasks.admin", "rest_framework.views")])
"""


def test_a_link_leads_to_the_running_site(fresh_home: Path, tmp_path: Path) -> None:
    with start(tmp_path / "up") as site:
        site.wait_until_greeted()
        printed = manage("sign_in_link")
        assert (printed.returncode, printed.stderr) == (0, "")
        link = printed.stdout.strip()
        assert link.startswith(f"{site.address}/sign-in/")
        assert link != site.link
        assert urlopen(link).status == 200


def test_a_link_is_printed_with_a_warning_where_no_site_is_running(fresh_home: Path) -> None:
    printed = manage("sign_in_link", "--address", "http://127.0.0.1:1/")
    assert printed.returncode == 0
    assert printed.stdout.startswith("http://127.0.0.1:1/sign-in/")
    assert "manage.py up" in printed.stderr


def test_an_unknown_user_fails_with_one_line(fresh_home: Path) -> None:
    failed = manage("sign_in_link", "--user", "stranger")
    assert failed.returncode == 1
    assert failed.stderr.startswith("CommandError: ") and failed.stderr.count("\n") == 1


def test_a_link_is_made_without_loading_all_pages(fresh_home: Path) -> None:
    done = subprocess.run([sys.executable, "-c", MAKE], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr
