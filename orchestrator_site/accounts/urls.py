"""URLs for signing in and out."""

from django.contrib.auth.views import LogoutView
from django.urls import path

from orchestrator_site.accounts.views import SignIn, sign_in_link

urlpatterns = [
    path("sign-in/", SignIn.as_view(), name="sign-in"),
    path("sign-in/<str:token>/", sign_in_link, name="sign-in-link"),
    path("sign-out/", LogoutView.as_view(), name="sign-out"),
]
