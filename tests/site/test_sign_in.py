"""The page for people with a password, and the way out."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client


@pytest.fixture
def ada(db: None) -> User:
    return User.objects.create_superuser("ada", password="a long enough phrase")


def test_the_page_explains_how_to_get_a_link(client: Client, db: None) -> None:
    page = client.get("/sign-in/")
    assert page.status_code == 200
    assert "python manage.py sign_in_link" in page.content.decode()


def test_a_password_signs_in_and_redirects_to_next(client: Client, ada: User) -> None:
    words = {"username": "ada", "password": "a long enough phrase", "next": "/tasks/task_0/"}
    answer = client.post("/sign-in/", words)
    assert (answer.status_code, answer["Location"]) == (302, "/tasks/task_0/")


def test_next_never_redirects_to_another_site(client: Client, ada: User) -> None:
    words = {"username": "ada", "password": "a long enough phrase", "next": "https://elsewhere.example/"}
    assert client.post("/sign-in/", words)["Location"] == "/"


def test_a_wrong_password_shows_an_error(client: Client, ada: User) -> None:
    page = client.post("/sign-in/", {"username": "ada", "password": "wrong"})
    assert page.status_code == 200
    assert "Please enter a correct username and password" in page.content.decode()
    assert "_auth_user_id" not in client.session


def test_a_signed_in_visitor_is_redirected(client: Client, ada: User) -> None:
    client.force_login(ada)
    assert client.get("/sign-in/")["Location"] == "/"


def test_signing_out_is_a_post(client: Client, ada: User) -> None:
    client.force_login(ada)
    assert client.get("/sign-out/").status_code == 405
    assert client.post("/sign-out/")["Location"] == "/sign-in/"
    assert "_auth_user_id" not in client.session
