"""A person with a browser that runs no scripts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape
from http.client import HTTPResponse
from http.cookiejar import CookieJar
from urllib.parse import urlencode, urljoin
from urllib.request import HTTPCookieProcessor, OpenerDirector, build_opener

TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


@dataclass
class Person:
    """What it has open: the address, and the page."""

    opener: OpenerDirector
    address: str
    page: str = ""

    def open(self, address: str, fields: dict[str, str] | None = None) -> None:
        """Open an address, or post a form there. Raises HTTPError."""
        given = urlencode(fields).encode() if fields is not None else None
        response: HTTPResponse
        with self.opener.open(urljoin(self.address, address), given) as response:
            self.address, self.page = response.geturl(), unescape(response.read().decode())

    def send(self, action: str, **fields: str) -> None:
        """Send the form of the page that posts to an address, with the hidden fields that it has."""
        form = self.page.partition(f'action="{action}"' if action else "<main")[2].partition("</form>")[0]
        hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form))
        self.open(action or self.address, {**hidden, **fields})


def sign_in(link: str) -> Person:
    """Sign in with a link."""
    person = Person(build_opener(HTTPCookieProcessor(CookieJar())), link)
    person.open(link)
    person.send("")
    return person
