"""`manage.py sign_in_link` for a site that runs, and for one that does not."""

from __future__ import annotations

from pathlib import Path
from urllib.request import urlopen

from tests.site.processes import manage, start


def test_a_fresh_link_leads_to_the_site_that_runs(fresh_home: Path, tmp_path: Path) -> None:
    with start(tmp_path / "up") as site:
        site.wait_until_greeted()
        printed = manage("sign_in_link")
        assert (printed.returncode, printed.stderr) == (0, "")
        link = printed.stdout.strip()
        assert link.startswith(f"{site.address}/sign-in/")
        assert link != site.link
        assert urlopen(link).status == 200


def test_a_link_is_printed_with_a_word_of_warning_where_no_site_runs(fresh_home: Path) -> None:
    printed = manage("sign_in_link", "--address", "http://127.0.0.1:1/")
    assert printed.returncode == 0
    assert printed.stdout.startswith("http://127.0.0.1:1/sign-in/")
    assert printed.stderr == "Nothing answers at http://127.0.0.1:1 now. Start the site with: python manage.py up\n"


def test_a_user_who_does_not_exist_is_an_error_that_says_what_to_do(fresh_home: Path) -> None:
    refused = manage("sign_in_link", "--user", "nobody")
    assert refused.returncode == 1
    assert refused.stderr == (
        "CommandError: No active user is named nobody. Make one with: python manage.py createsuperuser\n"
    )
