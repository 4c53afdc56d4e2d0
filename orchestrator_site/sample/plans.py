"""What the sample's assistants plan."""

from __future__ import annotations

from tasks.choices import Priority
from tasks.services.plan import Subtask

IMPORT = """Mend the import of prices from the distributors

Two of our five distributors write prices with a decimal comma. Since Monday 214 books were imported at a hundred times
their price. Find out why, mend it, and correct the rows."""
IMPORT_CONTEXT = "The import runs every night at 02:10 (shop/imports). The corrected list is due before tonight's run."
IMPORT_TASKS = (
    Subtask(
        "Find out why prices are a hundred times too high",
        "Reproduce it with the file of 12 March and name the line that is wrong.",
        "debugger",
        key="why",
        effort="1 h",
        priority=Priority.URGENT,
    ),
    Subtask(
        "Parse prices by the rules of each distributor",
        "A price is a whole number of cents. Refuse what cannot be told, with the line of the file.",
        "implementer",
        key="parse",
        dependencies=("why",),
        effort="2 h",
        priority=Priority.URGENT,
        review=True,
    ),
    Subtask(
        "Correct the 214 rows, and keep what they were",
        "One migration; the old price stays in price_history.",
        "implementer",
        key="correct",
        dependencies=("parse",),
        effort="1 h",
    ),
)

CHECKOUT = """Let customers pay: the checkout, from the basket to the receipt

Customers can fill a basket, and then have to phone us. Build the checkout: totals that are right to the cent, payment
by card, a receipt by mail. It opens to one customer in ten first."""
CHECKOUT_CONTEXT = """Django 5.2 and PostgreSQL, TypeScript in the browser. Money is whole cents, never a float. The
payment provider keeps all card data; none of it may reach our servers or logs."""

_BASKET = Subtask(
    "Basket and totals",
    "What a basket costs, and that what is in it can be had.",
    key="basket",
    subtasks=(
        Subtask(
            "Design the checkout: states, money and what can fail",
            "The states of an order, who moves it from one to the next, and what happens when the provider is away. "
            "Decide where totals are computed and how long stock is held.",
            "architect",
            key="design",
            complexity="complex",
            effort="3 h",
            priority=Priority.HIGH,
            review=True,
        ),
        Subtask(
            "Compute totals in whole cents",
            "Lines, vouchers, shipping and VAT. Round once per rate, on the sum, half up.",
            "implementer",
            key="totals",
            dependencies=("design",),
            effort="4 h",
            priority=Priority.HIGH,
        ),
        Subtask(
            "Prove the totals: rounding, VAT and vouchers",
            "Compare with the totals of 2,000 invoices of last year, and look for a basket that breaks a rule.",
            "tester",
            key="prove",
            dependencies=("totals",),
            effort="3 h",
        ),
        Subtask(
            "Hold stock while a customer pays",
            "Two customers must never pay for the last copy. A hold ends by itself after 15 minutes.",
            "implementer",
            key="hold",
            dependencies=("design",),
            complexity="complex",
            effort="5 h",
            priority=Priority.HIGH,
            review=True,
        ),
    ),
)
_PAYMENT = Subtask(
    "Payment",
    "From “Pay now” to an order that is paid exactly once.",
    key="payment",
    subtasks=(
        Subtask(
            "Talk to the payment provider",
            "A client for payment intents: time limits, retries that never charge twice, and errors that the page can "
            "show. No card data passes through it.",
            "implementer",
            key="client",
            dependencies=("design",),
            complexity="complex",
            effort="6 h",
            priority=Priority.URGENT,
            review=True,
        ),
        Subtask(
            "Receive the provider's webhooks once, in any order",
            "Check the signature on the raw bytes. The same event twice changes nothing; an older one never wins.",
            "implementer",
            key="webhooks",
            dependencies=("design",),
            complexity="complex",
            effort="5 h",
            priority=Priority.HIGH,
            review=True,
        ),
        Subtask(
            "Look for what could be stolen or forged",
            "The payment page, the webhooks and the voucher codes, by the eyes of somebody who wants books for free.",
            "reviewer",
            key="threats",
            dependencies=("design",),
            effort="3 h",
        ),
        Subtask(
            "Put the provider's test keys on staging",
            "As secrets of the deployment; never in the repository.",
            "implementer",
            key="keys",
            effort="30 min",
        ),
        Subtask(
            "Pay with test cards, from end to end",
            "Every test card of the provider, with and without 3-D Secure, in two browsers.",
            "tester",
            key="cards",
            dependencies=("client", "webhooks", "keys", "hold"),
            effort="4 h",
        ),
    ),
)
_LAUNCH = Subtask(
    "Receipt and launch",
    "What customers get afterwards, and how we open the doors.",
    key="launch",
    subtasks=(
        Subtask(
            "Limits and the switch for one customer in ten",
            "One file: the switch, the time limits, the largest basket. Sensible without any of it.",
            "implementer",
            key="config",
            dependencies=("design",),
            complexity="simple",
            effort="1 h",
            review=True,
        ),
        Subtask(
            "Send the receipt by mail, as PDF",
            "Within a minute after payment; once, even if the webhook comes twice.",
            "implementer",
            key="receipt",
            dependencies=("totals",),
            effort="4 h",
        ),
        Subtask(
            "Write the help page about paying",
            "For customers: which cards, what 3-D Secure asks, when the money is taken, how to get it back.",
            "documenter",
            key="help",
            dependencies=("design",),
            complexity="simple",
            effort="2 h",
        ),
        Subtask(
            "Find out why baskets are left behind",
            "From the logs of the last 30 days: at which step, on which device, with how much in them.",
            "researcher",
            key="left",
            effort="3 h",
            priority=Priority.LOW,
        ),
        Subtask(
            "Let libraries pay by invoice",
            "Forty libraries order for more than 500 € each month.",
            "implementer",
            key="invoice",
            dependencies=("totals",),
            effort="6 h",
            priority=Priority.LOW,
        ),
        Subtask(
            "Put 50 orders per second through it",
            "On staging, for ten minutes, with the provider's sandbox answering slowly.",
            "tester",
            key="load",
            dependencies=("client", "hold", "config"),
            effort="3 h",
        ),
        Subtask(
            "Open to one customer in ten",
            "The checklist, the switch, and who watches what on the first evening.",
            "architect",
            key="open",
            dependencies=("cards", "load", "receipt", "help", "threats"),
            complexity="simple",
            effort="1 h",
            review=True,
        ),
    ),
)
CHECKOUT_TASKS = (_BASKET, _PAYMENT, _LAUNCH)
