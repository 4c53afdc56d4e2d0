"""What happened in the sample, in order: the one place to read or change it."""

from __future__ import annotations

from artifacts.models import Kind
from orchestrator_site.sample import plans
from orchestrator_site.sample.picture import states_png
from orchestrator_site.sample.team import Team, Work
from tasks.choices import Status

CLAUDE, CODEX, GEMINI = "claude-code", "codex", "gemini-cli"
PARSE = Work("shop/imports/prices.py")
CLIENT = Work("web/payments/client.ts")
WEBHOOKS = Work("shop/payments/webhooks.py")


def tell(team: Team) -> None:
    """Let everybody do their part."""
    _import(team)
    _design(team)
    _basket(team)
    _payment(team)
    _launch(team)
    _today(team)


def _import(team: Team) -> None:
    team.at(hours=46)
    team.comes(CODEX, "0.63")
    team.plans(CODEX, plans.IMPORT, plans.IMPORT_CONTEXT, plans.IMPORT_TASKS, "moderate")
    team.at(hours=45.8)
    team.takes(CODEX, "why")
    team.at(hours=45.3)
    why = Work("docs/incidents/prices.md", Kind.ANALYSIS)
    team.delivers(CODEX, "why", "The importer reads 12,90 as 1290 and takes it for euros. Two distributors.", why)
    team.takes(CODEX, "parse")
    team.at(hours=44.4)
    team.delivers(
        CODEX, "parse", "Prices are parsed by each distributor's own rule, and refused where in doubt.", PARSE
    )
    team.at(hours=44)
    team.approves("parse", "Refusing instead of guessing is right. Thank you for naming the line.")
    team.takes(CODEX, "correct")
    team.at(hours=43.2)
    correct = Work("shop/migrations/0042_correct_prices.sql")
    team.delivers(CODEX, "correct", "214 rows corrected; each old price stands in price_history.", correct)


def _design(team: Team) -> None:
    team.at(hours=30)
    team.comes(CLAUDE, "2.1.47")
    team.plans(CLAUDE, plans.CHECKOUT, plans.CHECKOUT_CONTEXT, plans.CHECKOUT_TASKS, "complex")
    team.at(hours=29.7)
    team.takes(CLAUDE, "design")
    team.at(hours=28.4)
    design = Work("docs/checkout.md", Kind.DESIGN)
    team.delivers(
        CLAUDE,
        "design",
        "An order has six states; only the provider's webhook marks it paid. Totals are computed on the server alone.",
        design,
        ("docs/checkout-states.png", states_png()),
    )
    team.at(hours=27.9)
    team.approves("design", "Agreed. Fifteen minutes for a hold is what I would have chosen.")


def _basket(team: Team) -> None:
    team.at(hours=27.5)
    team.takes(CLAUDE, "totals")
    team.at(hours=26.1)
    summary = "Totals in whole cents: one rounding per VAT rate, vouchers before VAT, shipping last."
    team.delivers(CLAUDE, "totals", summary, Work("shop/checkout/totals.py"))
    team.at(hours=25.8)
    team.takes(CODEX, "prove")
    team.at(hours=24.2)
    proof = "2,000 invoices agree to the cent; 30,000 random baskets keep every rule. One voucher bug found and mended."
    team.delivers(CODEX, "prove", proof, Work("docs/reports/totals.md", Kind.TEST))
    team.at(hours=24.1)
    reason = "Not for the launch: libraries stay with the phone until summer."
    team.cancels("invoice", reason)


def _payment(team: Team) -> None:
    team.at(hours=23.5)
    team.takes(CLAUDE, "client")
    team.at(hours=21.6)
    team.delivers(CLAUDE, "client", "A client for payment intents, with retries and time limits.", CLIENT)
    team.at(hours=21)
    team.says("client", "A new key for every attempt: a retry after a time-out would charge twice.", 27)
    team.says("client", "The provider sends a Retry-After with 429. Please wait as long as it says.", 34, 36)
    team.at(hours=20.9)
    team.sends_back("client", "Close. A retry must never charge twice; see the two places below.")
    team.at(hours=20.5)
    team.takes(CODEX, "webhooks")
    team.at(hours=20.2)
    team.comes(GEMINI, "0.21.1")
    team.takes(GEMINI, "threats")
    team.at(hours=18.9)
    found = "Seven threats, two of them grave: voucher codes can be guessed, and a forged webhook marks an order paid."
    team.delivers(GEMINI, "threats", found, Work("docs/security/checkout.md", Kind.ANALYSIS))
    team.at(hours=18.4)
    team.delivers(CODEX, "webhooks", "Webhooks are checked, kept and handled once.", WEBHOOKS)
    team.goes(CODEX)


def _launch(team: Team) -> None:
    team.at(hours=5.2)
    team.comes(CODEX, "0.63")
    team.takes(CODEX, "receipt")
    team.at(hours=4.6)
    team.says("webhooks", "The signature covers the raw bytes. Parsing and writing JSON again changes them.", 18, 19)
    team.at(hours=4.5)
    team.sends_back("webhooks", "Check the signature on request.body itself, and compare in constant time.")
    team.at(hours=3.9)
    reason = (
        "The mail provider's sandbox refuses attachments above 1 MB, and our PDFs have 1.4 MB with the fonts in them."
    )
    team.stops(CODEX, "receipt", Status.FAILED, reason)
    team.goes(CODEX)
    team.at(hours=3.6)
    team.takes(GEMINI, "keys")
    team.at(hours=3.4)
    team.errs(GEMINI, "update_task", "keys", action="block")  # a stop needs its reason
    wanted = "The provider's console wants a person with a second factor to make the test keys. Then unblock this."
    team.stops(GEMINI, "keys", Status.BLOCKED, wanted)


def _today(team: Team) -> None:
    team.at(hours=2.8)
    team.takes(GEMINI, "config")
    team.at(hours=2.2)
    limits = "The switch, the limits and their defaults in one file; every value is checked at start."
    team.delivers(GEMINI, "config", limits, Work("config/checkout.yaml", Kind.CONFIG))
    team.at(hours=1.9)
    team.takes(CLAUDE, "client")
    team.at(minutes=52)
    better = (
        "One idempotency key per payment, kept over retries; Retry-After is obeyed; errors say what the page shows."
    )
    team.delivers(CLAUDE, "client", better, Work(CLIENT.path, version=2))
    team.at(minutes=24)
    team.takes(GEMINI, "help")
    team.at(minutes=9)
    team.takes(CLAUDE, "hold")
