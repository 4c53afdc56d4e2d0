"""The URLs of the site with those that only DEBUG has."""

from django.urls import path

from orchestrator_site.components import components
from orchestrator_site.urls import handler400, urlpatterns

__all__ = ["handler400", "urlpatterns"]
urlpatterns = [*urlpatterns, path("components/", components, name="components")]
