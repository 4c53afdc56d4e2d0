"""Settings of the site, its workers and the bridge, from the environment with safe defaults.

Every variable is listed in docs/settings.md.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import environ
import platformdirs
from django.core.exceptions import ImproperlyConfigured

_YES_OR_NO = ("true", "yes", "on", "1", "false", "no", "off", "0", "")
_LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


class _Env(environ.Env):  # type: ignore[misc]  # it has no types
    """Names the variable that cannot be read. The base class does not, and takes a misspelt `true` for false."""

    def get_value(self, var: str, cast: Any = None, *args: Any, **options: Any) -> Any:
        if cast is bool and self.ENVIRON.get(var, "").strip().lower() not in _YES_OR_NO:
            raise ImproperlyConfigured(f"{var} must be true or false.")
        try:
            return super().get_value(var, cast, *args, **options)
        except ValueError as error:
            raise ImproperlyConfigured(f"{var} cannot be read: {error}.") from error


env = _Env()

BASE_DIR = Path(__file__).resolve().parent.parent
ORCHESTRATOR_HOME = Path(
    env.str("ORCHESTRATOR_HOME", default="") or platformdirs.user_data_dir("mcp-task-orchestrator", appauthor=False)
).expanduser()
# Beside the code where it may be written: several data folders share it.
STATIC_ROOT = (BASE_DIR if os.access(BASE_DIR, os.W_OK) else ORCHESTRATOR_HOME) / "staticfiles"
if not ORCHESTRATOR_HOME.is_absolute():
    raise ImproperlyConfigured(
        f"ORCHESTRATOR_HOME must be an absolute path: {ORCHESTRATOR_HOME} is another folder in each working directory."
    )
try:
    ORCHESTRATOR_HOME.mkdir(parents=True, exist_ok=True, mode=0o700)
    STATIC_ROOT.mkdir(exist_ok=True)
except OSError as _error:
    raise ImproperlyConfigured(f"ORCHESTRATOR_HOME cannot be used: {_error.filename}: {_error.strerror}.") from _error


def _secret_key() -> str:
    """Read the key kept in ORCHESTRATOR_HOME, creating it on first use.

    The file is written aside and then linked, so that several processes starting at once agree on one key.
    """
    path = ORCHESTRATOR_HOME / "secret_key"
    if not path.exists():
        draft = path.with_name(f"secret_key.{os.getpid()}.{secrets.token_hex(4)}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
            handle.write(secrets.token_urlsafe(64))
        try:
            os.link(draft, path)
        except FileExistsError:
            pass  # another process was first; its key is used
        finally:
            draft.unlink()
    return path.read_text().strip()


def _without_path(variable: str, addresses: list[str]) -> list[str]:
    for address in addresses:
        _, _, path = address.rpartition("://")[2].partition("/")
        if path:
            raise ImproperlyConfigured(
                f"{variable}: {address} has a path, but the site cannot be served below one: its links begin at the "
                f"root. Give it a host name of its own and write it without /{path} (docs/running.md, Serving other "
                "machines)."
            )
    return [address.rstrip("/") for address in addresses]


ORCHESTRATOR_TLS = env.bool("ORCHESTRATOR_TLS", default=False)
DEBUG = env.bool("ORCHESTRATOR_DEBUG", default=False)
SECRET_KEY = env.str("ORCHESTRATOR_SECRET_KEY", default="") or _secret_key()
ALLOWED_HOSTS = _without_path(
    "ORCHESTRATOR_ALLOWED_HOSTS",
    env.list("ORCHESTRATOR_ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"]),
)

INSTALLED_APPS = [
    "django.contrib.admin.apps.SimpleAdminConfig",  # urls.py loads the admin pages: most processes serve none
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "csp",
    "drf_spectacular_sidecar",  # only the files of Swagger UI
    "rest_framework",
    "django_q",
    "tasks",
    "artifacts",
    "maintenance",
    "tasks.agents",
    "tasks.library",
    "tasks.insights",
    "orchestrator_site",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "orchestrator_site.web.middleware.AtTheRoot",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "orchestrator_site.accounts.origin.BoundSession",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "orchestrator_site.web.middleware.Commits",
]

ROOT_URLCONF = "orchestrator_site.urls"
ASGI_APPLICATION = "orchestrator_site.application.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "builtins": [
                "orchestrator_site.web.templatetags.formats",
                "orchestrator_site.web.templatetags.ui",
                "artifacts.templatetags.prose",
            ],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "orchestrator_site.context_processors.frame",
            ],
        },
    },
]

# What a power failure may cost (docs/running.md): nothing with `full`, the last seconds with `normal`.
ORCHESTRATOR_SYNCHRONOUS = env.str("ORCHESTRATOR_SYNCHRONOUS", default="full").lower()
if ORCHESTRATOR_SYNCHRONOUS not in ("full", "normal"):
    raise ImproperlyConfigured("ORCHESTRATOR_SYNCHRONOUS must be full or normal.")

# IMMEDIATE takes the write lock when a transaction begins, so a transaction that reads and then writes waits its
# turn instead of failing with "database is locked". kernel/sqlite turns on WAL, which lets readers continue.
SQLITE_OPTIONS = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    "init_command": f"PRAGMA synchronous={ORCHESTRATOR_SYNCHRONOUS};PRAGMA temp_store=MEMORY;",
}


def _database() -> dict[str, object]:
    config: dict[str, object] = {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(ORCHESTRATOR_HOME / "orchestrator.sqlite3"),
    }
    if url := env.str("DATABASE_URL", default=""):
        if not url.startswith(("sqlite://", "postgres://", "postgresql://")):
            raise ImproperlyConfigured("DATABASE_URL must begin with sqlite:// or postgres://.")
        try:
            config = dict(env.db_url("DATABASE_URL"))
        except ValueError:  # its message may hold a password
            raise ImproperlyConfigured("DATABASE_URL cannot be read.") from None
    if config["ENGINE"] == "django.db.backends.sqlite3":
        if not Path(str(config["NAME"])).is_absolute():
            raise ImproperlyConfigured("DATABASE_URL must have an absolute path: sqlite:// and then /path/to/file.")
        config["ENGINE"] = "orchestrator_site.kernel.sqlite"
        config["OPTIONS"] = SQLITE_OPTIONS
        config["TEST"] = {"NAME": str(ORCHESTRATOR_HOME / "test.sqlite3")}
    elif config["ENGINE"] == "django.db.backends.postgresql":
        config["ENGINE"] = "orchestrator_site.kernel.postgresql"
    config["CONN_MAX_AGE"] = 60
    config["CONN_HEALTH_CHECKS"] = True  # or each thread's next request fails after PostgreSQL restarts
    return config


DATABASES = {"default": _database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
    # Rendered artifacts, shared by all processes. A megabyte of code is 32 entries.
    "rendered": {
        "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
        "LOCATION": ORCHESTRATOR_HOME / "cache" / "rendered",
        "OPTIONS": {"MAX_ENTRIES": 2000},
    },
}

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}Validator"}
    for name in ("UserAttributeSimilarity", "MinimumLength", "CommonPassword", "NumericPassword")
]
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "projects"
LOGOUT_REDIRECT_URL = "sign-in"

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "orchestrator_site" / "web" / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "orchestrator_site.web.static_storage.StaticStorage"},
}
WHITENOISE_KEEP_ONLY_HASHED_FILES = True
WHITENOISE_SKIP_COMPRESS_EXTENSIONS = ["gif", "map", "png", "woff2"]
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = DEBUG

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
        "base-uri": ["'none'"],
    }
}
X_FRAME_OPTIONS = "DENY"
# Browsers send cookies to every port of a host, so each site has names of its own.
_SITE = hashlib.sha256(str(ORCHESTRATOR_HOME.resolve()).encode(errors="surrogateescape")).hexdigest()[:8]
_PREFIX = "__Host-" if ORCHESTRATOR_TLS else ""
SESSION_COOKIE_NAME = f"{_PREFIX}session-{_SITE}"
CSRF_COOKIE_NAME = f"{_PREFIX}csrf-{_SITE}"
SESSION_COOKIE_AGE = 7 * 24 * 60 * 60
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "orchestrator_site.tokens.rest.BearerAuthentication",
        "orchestrator_site.tokens.rest.PersonAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["orchestrator_site.rest.permissions.HasScope"],
    "DEFAULT_PARSER_CLASSES": ["orchestrator_site.rest.parsers.JsonParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_PAGINATION_CLASS": "orchestrator_site.rest.pagination.CursorPaging",
    "DEFAULT_METADATA_CLASS": None,
    "EXCEPTION_HANDLER": "orchestrator_site.rest.problems.handler",
    "URL_FORMAT_OVERRIDE": None,
    "FORMAT_SUFFIX_KWARG": None,
}

SPECTACULAR_SETTINGS = {
    "TITLE": "MCP Task Orchestrator",
    "DESCRIPTION": "Plans, tasks, artifacts and events over REST. docs/rest.md says how it is used.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "PREPROCESSING_HOOKS": [],
    "POSTPROCESSING_HOOKS": [],  # enumerations stay where they are used
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "SORT_OPERATION_PARAMETERS": False,
}

# On loopback the site speaks plain HTTP; behind TLS ORCHESTRATOR_TLS turns on everything that needs it.
SESSION_COOKIE_SECURE = ORCHESTRATOR_TLS
CSRF_COOKIE_SECURE = ORCHESTRATOR_TLS
SECURE_SSL_REDIRECT = ORCHESTRATOR_TLS
# Monitors ask the site directly, past the proxy.
SECURE_REDIRECT_EXEMPT = [r"^healthz/?$", r"^readyz/?$"]
SECURE_HSTS_SECONDS = 31_536_000 if ORCHESTRATOR_TLS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = ORCHESTRATOR_TLS
SECURE_HSTS_PRELOAD = ORCHESTRATOR_TLS
if ORCHESTRATOR_TLS:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# The lease of a task in minutes, unless its project's settings override it.
ORCHESTRATOR_LEASE_MINUTES = env.int("ORCHESTRATOR_LEASE_MINUTES", default=30)
# The largest artifact that one call may deliver, in bytes of UTF-8.
ORCHESTRATOR_MAX_DELIVERY_BYTES = env.int("ORCHESTRATOR_MAX_DELIVERY_BYTES", default=16 * 1024 * 1024)
# A form may hold such an artifact as text.
DATA_UPLOAD_MAX_MEMORY_SIZE = ORCHESTRATOR_MAX_DELIVERY_BYTES + 1024 * 1024
# Uploads: the largest in bytes, how many may be open per project, and the disk space they leave free.
ORCHESTRATOR_MAX_UPLOAD_BYTES = env.int("ORCHESTRATOR_MAX_UPLOAD_BYTES", default=100 * 1024 * 1024)
ORCHESTRATOR_MAX_OPEN_UPLOADS = env.int("ORCHESTRATOR_MAX_OPEN_UPLOADS", default=200)
ORCHESTRATOR_KEEP_FREE_BYTES = env.int("ORCHESTRATOR_KEEP_FREE_BYTES", default=64 * 1024 * 1024)

# Where large content is stored: s3://bucket/prefix, or a folder of ORCHESTRATOR_HOME if empty.
ORCHESTRATOR_CONTENT_URL = env.str("ORCHESTRATOR_CONTENT_URL", default="")
if not re.fullmatch(r"(s3://[a-z0-9][a-z0-9.-]+(/[\w./-]*)?)?", ORCHESTRATOR_CONTENT_URL, re.ASCII):
    raise ImproperlyConfigured("ORCHESTRATOR_CONTENT_URL must be s3://bucket or s3://bucket/prefix.")
if ORCHESTRATOR_CONTENT_URL and not all(map(find_spec, ("storages", "boto3"))):
    raise ImproperlyConfigured(
        "ORCHESTRATOR_CONTENT_URL needs the extra s3: install it with pip install 'mcp-task-orchestrator[s3]'."
    )

# Where the worker copies the data every day; empty: nowhere.
ORCHESTRATOR_BACKUPS = env.str("ORCHESTRATOR_BACKUPS", default="")
if ORCHESTRATOR_BACKUPS and not Path(ORCHESTRATOR_BACKUPS).is_absolute():
    raise ImproperlyConfigured("ORCHESTRATOR_BACKUPS must be an absolute path.")

# How many jobs run at once; with 0 none do, and /readyz does not check them.
ORCHESTRATOR_WORKERS = env.int("ORCHESTRATOR_WORKERS", default=2)
_WORKERS = max(1, ORCHESTRATOR_WORKERS)
# Where queued jobs wait: redis://…, or the database if empty.
ORCHESTRATOR_QUEUE_URL = env.str("ORCHESTRATOR_QUEUE_URL", default="")
if ORCHESTRATOR_QUEUE_URL and not ORCHESTRATOR_QUEUE_URL.startswith(("redis://", "rediss://")):
    raise ImproperlyConfigured("ORCHESTRATOR_QUEUE_URL must begin with redis:// or rediss://.")
if ORCHESTRATOR_QUEUE_URL and not find_spec("redis"):
    raise ImproperlyConfigured(
        "ORCHESTRATOR_QUEUE_URL needs the extra redis: install it with pip install 'mcp-task-orchestrator[redis]'."
    )
Q_CLUSTER = {
    "name": "orchestrator",
    "label": "Jobs",
    **({"broker_class": "maintenance.redis_broker.RedisBroker"} if ORCHESTRATOR_QUEUE_URL else {"orm": "default"}),
    "workers": _WORKERS,
    # A job counts as taken once the cluster fetches it: fetch no more than the workers can start, or waiting jobs run
    # twice.
    "queue_limit": _WORKERS,
    "bulk": 1,
    "poll": 1.0,
    "timeout": 300,
    "retry": 360,
    "max_attempts": 3,
    "ack_failures": True,
    "catch_up": False,
    "save_limit": -1,  # maintenance.JobRun keeps successes; failures are always kept
    "recycle": 200,
}

# Scopes of assistants over stdio; over HTTP their access token has its own.
ORCHESTRATOR_STDIO_SCOPES = env.list("ORCHESTRATOR_STDIO_SCOPES", default=["read", "write", "review", "admin"])
# The access token of `manage.py attest`, with the scope attest; only in the shell that runs it.
ORCHESTRATOR_ATTEST_TOKEN = env.str("ORCHESTRATOR_ATTEST_TOKEN", default="")
# The toolsets that MCP offers over HTTP.
ORCHESTRATOR_TOOLSETS = env.list("ORCHESTRATOR_TOOLSETS", default=["core"])
# Other origins that may post here, such as https://orchestrator.example.org behind a proxy.
CSRF_TRUSTED_ORIGINS = _without_path(
    "ORCHESTRATOR_TRUSTED_ORIGINS", env.list("ORCHESTRATOR_TRUSTED_ORIGINS", default=[])
)

_LEVEL = env.str("ORCHESTRATOR_LOG_LEVEL", default="")
if _LEVEL not in ("", *_LOG_LEVELS):
    raise ImproperlyConfigured(f"ORCHESTRATOR_LOG_LEVEL must be one of: {', '.join(_LOG_LEVELS)}.")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"hide_secrets": {"()": "orchestrator_site.accounts.logs.HideSecrets"}},
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["hide_secrets"]}},
    "root": {"handlers": ["stderr"], "level": _LEVEL or "WARNING"},
    # One line per process event, and per migration of an upgrade.
    "loggers": {name: {"level": _LEVEL or "INFO"} for name in ("orchestrator_site.up", "maintenance.upgrades")},
}
