"""URLs of the site."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path

from maintenance.health.views import healthz, readyz
from orchestrator_site.components import components
from orchestrator_site.context_processors import theme
from orchestrator_site.rest.problems import unknown_address
from orchestrator_site.sample.views import remove, sample
from orchestrator_site.tokens import views as token_pages
from orchestrator_site.views import restart

admin.autodiscover()
handler400 = "orchestrator_site.rest.problems.bad_request"
urlpatterns = [
    path("admin/", admin.site.urls),
    path("api", unknown_address),
    path("api/", include("orchestrator_site.api")),
    path("theme/", theme, name="theme"),
    path("restart/", restart, name="restart"),
    path("sample/", sample, name="sample"),
    path("sample/remove/", remove, name="sample-remove"),
    path("healthz/", healthz, name="healthz"),
    path("healthz", healthz, name="healthz"),
    path("readyz/", readyz, name="readyz"),
    path("readyz", readyz, name="readyz"),
    path("", include("orchestrator_site.accounts.urls")),
    path("tokens/", token_pages.tokens, name="tokens"),
    path("tokens/<str:public_id>/revoke/", token_pages.revoke, name="token-revoke"),
    path("", include("tasks.urls")),
    path("", include("tasks.agents.urls")),
    path("", include("tasks.library.urls")),
    path("", include("tasks.insights.urls")),
    path("", include("artifacts.urls")),
    path("", include("maintenance.urls")),
]
if settings.DEBUG:
    urlpatterns.append(path("components/", components, name="components"))
