"""Ordered rules: what the words of a title say about the packaged specialist that it is for. The first match wins."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tasks.insights.routing.words import plain

_CHARS = 500


@dataclass(frozen=True, slots=True)
class Rule:
    """`confidence`: how sure it is without the history of a project."""

    name: str
    specialist: str
    pattern: re.Pattern[str]
    confidence: float


def _first(words: str) -> str:
    """The title begins with one of these, behind a mark such as `[API]`, `1.` or `Backend:`."""
    return rf"^\W*(?:\[[^\]]*\]\W*|\d+[.)]\s*|(?:please|now|then|also|finally|we (?:need|have) to|need to)\s+)*(?:{words})\b"


def _any(words: str) -> str:
    return rf"\b(?:{words})\b"


def _both(first: str, then: str) -> str:
    return rf"{_first(first)}.*{_any(then)}"


_MAKE = "add|write|create|make|draft|prepare|update|extend|improve|expand|complete|finish|rewrite|refresh|publish|generate|provide|produce|implement|build|revise|clean up|set up|start|develop"
_PROSE = (
    r"docs?|documentation|read ?me|changelog|change log|release notes?|user guide|guides?|tutorials?|manuals?|"
    r"handbook|how-?to|faq|wiki|runbooks?|docstrings?|code comments?|examples? for (?:users|the docs)|"
    r"getting started|quick ?start|cheat ?sheet|glossary|onboarding (?:notes|material)|walkthrough|upgrade notes|"
    r"help (?:page|text|article)s?|article|blog ?post|instructions|api reference|cookbook"
)
_TESTS = (
    r"(?:unit|integration|regression|system|acceptance|smoke|load|stress|end-to-end|e2e|property|browser|ui|snapshot|"
    r"contract|performance|security|fuzz|api)[ -]tests?|tests?|test (?:suite|plan|cases?|coverage|data)|coverage|fuzzing|"
    r"test-?cases?|qa"
)
_SHAPE = (
    r"architecture|adr|rfc|design (?:doc|document|proposal)|data model|(?:domain|threat|permission) model|"
    r"target picture|system design|technical design|api design|decision record|roadmap"
)
_TROUBLE = (
    r"bugs?|crash(?:es|ed|ing)?|fails?|failed|failing|failures?|broken|breaks|error(?:s|ed)?|exceptions?|regressions?|"
    r"memory leaks?|leaks?|leaking|deadlocks?|race conditions?|flaky|hangs?|hanging|freezes?|stuck|segfaults?|"
    r"stack ?traces?|tracebacks?|time ?outs?|timing out|wrong(?:ly)?|incorrect(?:ly)?|corrupt(?:s|ed|ion)?|"
    r"(?:does|do|did|is|are|was)(?: not|n[’']t)|cannot|can[’']t|unable|no longer|never (?:ends|returns|finishes)|"
    r"not (?:working|showing|loading|found|updated|saved)|unexpected(?:ly)?|lost|duplicated?|[45]\d\d(?:s| errors?)|"
    r"slow(?:ness|down)?|missing|root cause|oom|out of memory|panics?"
)
_PICTURE = (
    r"logo|icons?|pages?|screens?|buttons?|banners?|mock-?ups?|layout|theme|favicon|stylesheet|css|dialogs?|forms?"
)
_BUILD = (
    r"add|implement|create|build|make|write|develop|code|set ?up|configure|install|integrate|refactor|migrate|convert|"
    r"replace|remove|delete|drop|rename|move|update|upgrade|bump|enable|disable|support|allow|let|improve|optimi[sz]e|"
    r"extract|split|merge|port|use|change|introduce|extend|deploy|automate|wire|expose|handle|cache|store|show|display|"
    r"render|parse|generate|connect|switch|adapt|adjust|apply|clean ?up|simplify|reduce|speed up|finish|complete|turn|"
    r"send|return|load|save|read|encrypt|validate|limit|rate-limit|paginate|sort|filter|import|export|schedule|register|"
    r"log|hide|wrap|restrict|reject|require|retry|rework|rewrite|restructure|modernize|provide|put|include|package|"
    r"release|publish|ship|roll ?out|provision|seed|style|reuse|make sure|ensure|prevent|stop|increase|lower|pin|"
    r"scaffold|bootstrap|initiali[sz]e|localize|translate|hook|link|attach|embed|emit|serve|stream|backfill|prune|"
    r"keep|give|fetch|pass|print|warn|detect|archive|back ?up|restore|rotate|harden|secure|bundle|inline|lazy|expire"
)

_TABLE: tuple[tuple[str, str, str, float], ...] = (
    ("type is docs", "documenter", r"^\W*(?:docs?|documentation)(?:\([^)]*\))?!?\s*[:\]]", 0.95),
    ("type is test", "tester", r"^\W*(?:tests?|qa)(?:\([^)]*\))?!?\s*[:\]]", 0.9),
    ("type is fix", "debugger", r"^\W*(?:fix|hotfix|bug(?:fix)?)(?:\([^)]*\))?!?\s*[:\]]", 0.9),
    ("type is spike", "researcher", r"^\W*(?:spike|research|investigation)(?:\([^)]*\))?\s*[:\]]", 0.9),
    ("type is design", "architect", r"^\W*(?:rfc|adr|design|architecture)(?:\([^)]*\))?[\s\d-]*[:\]]", 0.9),
    ("type is review", "reviewer", r"^\W*(?:code )?(?:review|audit)(?:\([^)]*\))?\s*[:\]]", 0.9),
    ("type is a change", "implementer", r"^\W*(?:feat(?:ure)?|refactor|chore|perf|build|ci|style)(?:\([^)]*\))?!?\s*[:\]]", 0.9),
    ("to review", "reviewer", _first(
        r"(?:(?:code|peer|design|security|accessibility|final|architecture|legal|performance|a11y)[ -])?(?:re-?view|audit)|"
        r"(?:re-?)?inspect|critique|double-check|proof-?read|approve|sign off|look over|go over|second pair"), 0.9),
    ("a review", "reviewer", rf"{_both('do|perform|conduct|carry out|run|have|hold|complete|request|make', '(?:code |security |peer |design |final )?(?:review|audit)')}", 0.85),
    ("a fault in prose", "documenter", _both("fix|correct|repair|resolve", rf"typos?|spelling|grammar|wording|{_PROSE}"), 0.8),
    ("to fix", "debugger", _first(
        r"(?:hot)?fix|debug|troubleshoot|diagnose|reproduce|resolve|repair|track down|hunt|bisect|trace|isolate|"
        r"find (?:out )?(?:the )?(?:why|root cause|cause|bug|source|leak)|figure out why|root[- ]cause|correct|solve|unbreak"), 0.9),
    ("to look into a fault", "debugger", _both(
        "investigate|analy[sz]e|look into|examine|check|explore|understand|identify|find|profile|explain|determine|work out", rf"{_TROUBLE}|why"), 0.8),
    ("to document", "documenter", _first(
        r"document(?!\s+(?:model|store|upload|service|viewer|type|parser|import|export|management|list)s?\b)|describe|explain|annotate|write up|write down|record how|outline how"), 0.9),
    ("to write prose", "documenter", _both(_MAKE, _PROSE), 0.85),
    ("to test", "tester", _first(
        r"(?:(?:unit|load|stress|smoke|regression|integration|fuzz|e2e|end-to-end|acceptance|manually|user|browser|penetration|pen)[ -]?)*test(?:ing)?|"
        r"cover|verify|fuzz|exercise|try(?: out)?|qa|increase (?:test )?coverage|raise (?:test )?coverage|simulate|prove|check that|confirm|assert|stress"), 0.85),
    ("to write tests", "tester", _both(rf"{_MAKE}|run|automate|define|design|plan|increase|raise|execute|perform|measure|port|split|mock", _TESTS), 0.8),
    ("to find out", "researcher", _first(
        r"research|investigate|explore|evaluate|compare|survey|analy[sz]e|study|find out|look into|learn|assess|gather|"
        r"benchmark|spike|identify|understand|determine|discover|interview|examine|collect|estimate|figure out|look for|"
        r"prototype options|list (?:all|the) options|review (?:the )?literature|read up|poll|ask|clarify|what|which|whether|how|can we|should we|is it"), 0.8),
    ("a study", "researcher", _any(
        r"feasibility|proof of concept|poc|market research|user research|trade-?offs?|pros and cons|state of the art|"
        r"comparison|literature|competitors?|requirements (?:analysis|gathering)|options for|best practices?|vs\.?|versus"), 0.7),
    ("to draw what is seen", "implementer", _both("design|style|lay out", _PICTURE), 0.5),
    ("to design", "architect", _first(
        r"(?:re-?)?design|architect|define|specify|model|propose|decide|choose|select|pick|outline|sketch|plan|agree on|"
        r"settle|structure|draw up|lay out|map out|draft|think through|conceive|formulate|establish (?:the )?(?:rules|boundaries|conventions)"), 0.8),
    ("a design", "architect", _both(_MAKE, _SHAPE), 0.8),
    ("to build", "implementer", _first(_BUILD), 0.85),
    ("prose", "documenter", _any(r"docs|documentation|read ?me|changelog|release notes|tutorial|user guide|runbook|faq|api reference|docstrings?"), 0.7),
    ("tests", "tester", _any(
        r"(?:unit|integration|regression|system|acceptance|smoke|load|stress|end-to-end|e2e|fuzz|property)[ -]?test(?:s|ing)?|"
        r"test (?:suite|plan|cases?|coverage)|tests|testing|qa"), 0.7),
    ("a fault", "debugger", _any(_TROUBLE), 0.7),
    ("architecture", "architect", _any(rf"{_SHAPE}|design|schema design|interface contract|specification|spec"), 0.65),
    ("review", "reviewer", _any(r"code review|review|audit|sign-?off|checklist"), 0.65),
    ("research", "researcher", _any(r"research|spike|investigation|evaluation|analysis|survey|study"), 0.65),
    ("a change", "implementer", _any(
        r"support for|implementation|integration|refactoring|migration|setup|upgrade|endpoint|feature request|"
        r"should (?:be|have|show|allow|support|use)|option to|ability to|new (?:feature|command|page|option|api)"), 0.65),
)  # fmt: skip

RULES = tuple(Rule(name, specialist, re.compile(pattern), sure) for name, specialist, pattern, sure in _TABLE)


def rules_for(title: str) -> list[Rule]:
    """Return the rules that a title meets, in order, the first of each specialist."""
    text = " ".join(plain(title[:_CHARS]).split())
    found: dict[str, Rule] = {}
    for rule in RULES:
        if rule.specialist not in found and rule.pattern.search(text):
            found[rule.specialist] = rule
    return list(found.values())
