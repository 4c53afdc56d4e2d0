"""URLs of the site."""

from django.contrib import admin
from django.urls import include, path

from orchestrator_site.context_processors import theme
from orchestrator_site.rest.problems import unknown_address
from orchestrator_site.sample.views import remove, sample

handler400 = "orchestrator_site.rest.problems.bad_request"
urlpatterns = [
    path("admin/", admin.site.urls),
    path("api", unknown_address),
    path("api/", include("orchestrator_site.api")),
    path("theme/", theme, name="theme"),
    path("sample/", sample, name="sample"),
    path("sample/remove/", remove, name="sample-remove"),
    path("", include("maintenance.health.urls")),
    path("", include("orchestrator_site.accounts.urls")),
    path("", include("orchestrator_site.tokens.urls")),
    path("", include("tasks.urls")),
    path("", include("artifacts.urls")),
]
