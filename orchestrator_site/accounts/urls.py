"""URLs of signing in and out. What only makes a link loads these alone, which takes half as long as all of them."""

from django.contrib.auth.views import LogoutView
from django.urls import path

from orchestrator_site.accounts.views import SignIn, sign_in_link

urlpatterns = [
    path("sign-in/", SignIn.as_view(), name="sign-in"),
    path("sign-in/<str:token>/", sign_in_link, name="sign-in-link"),
    path("sign-out/", LogoutView.as_view(), name="sign-out"),
]
