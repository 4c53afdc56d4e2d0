"""Ordered rules: what the words of a title say about the packaged specialist that it is for. The first match wins."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field, replace

from orchestrator_site.kernel.text import shortened
from tasks.insights.routing.words import plain, words_of

RULE = "="
"""What marks a rule among words; no word has it."""
_CHARS, _SAID = 500, 60


@dataclass(frozen=True, slots=True)
class Rule:
    """`confidence`: how sure it is without the history of a project. `said`: the words of a title that met it."""

    name: str
    specialist: str
    pattern: re.Pattern[str]
    confidence: float
    said: str = field(default="", compare=False)


def _first(words: str) -> str:
    """The title begins with one of these, behind a mark such as `[API]`, `1.` or a polite word."""
    # What may stand between two marks cannot begin one: read in one way only, a long row of brackets takes no time.
    marks = r"\[[^\[\]]*\][^\w\[]*|\d+[.)]\s*|(?:please|now|then|also|finally|we (?:need|have) to|need to)\s+"
    return rf"^[^\w\[]*(?:{marks}){{0,3}}(?:{words})\b"


def _any(words: str) -> str:
    return rf"\b(?:{words})\b"


def _both(first: str, then: str) -> str:
    return rf"{_first(first)}.*{_any(then)}"


def _type(words: str) -> str:
    """The type of a change before its title, as in `docs(api): …` or `[docs] …`."""
    return rf"^\W*(?:{words})(?:\([^)]*\))?!?[\s\d-]*[:\]]"


_MAKE = (
    r"add|write|create|make|draft|prepare|update|extend|improve|expand|complete|finish|rewrite|refresh|publish|"
    r"generate|provide|produce|implement|build|revise|clean up|set up|start|develop"
)
_PROSE = (
    r"docs?|documentation|read ?me|change ?log|release notes?|guides?|tutorials?|manuals?|handbook|how-?to|faq|wiki|"
    r"runbooks?|docstrings?|code comments?|examples? for (?:users|the docs)|getting started|quick ?start|cheat ?sheet|"
    r"glossary|onboarding (?:notes|material)|walkthrough|upgrade notes|help (?:page|text|article)s?|article|blog ?post|"
    r"instructions|api reference|cookbook|javadoc|contributing|code of conduct|"
    r"usage examples?|sections? (?:on|about|for)|troubleshooting|jsdoc"
)
_THING = (
    r"buttons?|pages?|panels?|views?|screens?|dialogs?|forms?|fields?|queues?|lists?|menus?|tabs?|tools?|bars?|widgets?|"
    r"modes?|shells?|runners?|explorers?|servers?|environments?|accounts?|uploads?|viewers?|editors?|stores?|types?|"
    r"parsers?|managers?|builds?|arenas?|harness|reminders?|sites?|status|scores?|stars?|templates?|reporting|reporter|dashboards?"
)
"""What is built, whatever it is named after: a test button, a review queue."""
_KIND_OF_TEST = (
    r"unit|integration|regression|system|acceptance|smoke|load|stress|end-to-end|e2e|fuzz|property|pen(?:etration)?|"
    r"functional|performance|usability|contract|snapshot|mutation|conformance|compatibility"
)
_TESTS = (
    rf"tests?|(?:{_KIND_OF_TEST})[ -](?:test(?:s|ing)?|suite)|test[ -]?(?:suite|plan|cases?|data)|coverage|fuzzing|qa"
)
_SHAPE = (
    r"architecture|adr|rfc|design (?:doc|document|proposal)|data model|(?:domain|threat|permission) model|"
    r"target picture|(?:system|technical|api) design|decision record|roadmap"
)
_TROUBLE = (
    r"bugs?|crash(?:es|ed|ing)?|fail(?:s|ed|ing|ures?)?|broken|breaks|error(?:s|ed)?|exceptions?|regressions?|"
    r"leak(?:s|ing)?|deadlocks?|race conditions?|flaky|hang(?:s|ing)?|freezes?|stuck|segfaults?|stack ?traces?|"
    r"tracebacks?|time ?outs?|timing out|wrong(?:ly)?|incorrect(?:ly)?|corrupt(?:s|ed|ion)?|cannot|can't|unable|"
    r"(?:does|do|did|is|are|was|has|have|wo|could|would)(?: not|n't)|no longer|never (?:ends|returns|finishes)|"
    r"unexpected(?:ly)?|lost|not (?:working|showing|loading|found|updated|saved)|duplicated?|"
    r"[45]\d\d(?:s| errors?)|slow(?:ness|down)?|missing|oom|root cause|out of memory|panics?|(?:hard|page) fault|"
    r"race between|data race|off by|outage|incident|flickers?|stutters?|drains?|drops|desync|misses|mis-?match|"
    r"falls? through|twice|doubled|stops|returns? nothing|"
    r"(?:is|are|stays?) (?:empty|blank|gone|ignored)|nothing happens|disappears?|vanish(?:es)?|garbled|stale|"
    r"high (?:cpu|memory|load|latency)|overflows?|overlaps?|infinite loop|unresponsive|intermittent(?:ly)?|"
    r"throws|raises|unhandled|undefined|invalid|inconsistent|glitch(?:es)?|ignores|loses|broke|problems? with|"
    r"issues? with|[a-z]+(?:error|exception)|nothing|never|too (?:early|late|many|few|large|small|high|low|long|slow)|"
    r"truncated|cut off|misaligned|blurry|diverges?|drifts?|jumps? by|(?:black|white|blank) screen|"
    r"unreadable|unreachable|refuses|rejects|swallow(?:s|ed)|out of (?:sync|order)|sometimes|randomly|occasionally|"
    r"suddenly|no (?:sound|output|response|effect)|why|denied|refused|null pointer|assertion|core dumped|blank"
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
    r"log|hide|wrap|restrict|reject|require|retry|rework|rewrite|restructure|moderni[sz]e|provide|put|include|package|"
    r"release|publish|ship|roll ?out|provision|seed|style|reuse|make sure|ensure|prevent|stop|increase|lower|pin|"
    r"scaffold|bootstrap|initiali[sz]e|locali[sz]e|translate|hook|link|attach|embed|emit|serve|stream|backfill|prune|"
    r"keep|give|fetch|pass|print|warn|detect|archive|back ?up|restore|rotate|harden|secure|bundle|inline|expire|unify|"
    r"consolidate|cut|trim|shrink|track|group|highlight|mark|skip|ignore|respect|notify|sync|collapse|resize|crop|"
    r"compute|calculate|compress|throttle|mask|redact|tag|assign|invite|offer|remember|preload|prefetch|calibrate|round"
)
_LOOK = r"investigate|analy[sz]e|look into|examine|check|explore|understand|identify|find|profile|explain|determine"

_TABLE: tuple[tuple[str, str, str, float], ...] = (
    ("type is docs", "documenter", _type("docs?|documentation|readme|typos?"), 0.95),
    ("type is test", "tester", _type("tests?|testing|e2e|qa"), 0.9),
    ("type is fix", "debugger", _type("(?:bug|hot)?fix|bug(?: report)?|crash|regression|defect"), 0.9),
    ("type is spike", "researcher", _type("spike|research|investigation|discovery|question|discussion|poc"), 0.9),
    ("type is design", "architect", _type("rfc|adr|design|architecture|proposal"), 0.9),
    ("type is review", "reviewer", _type("(?:code )?(?:review|audit)"), 0.9),
    ("type is a change", "implementer", _type(
        "feat(?:ure)?(?: ?request)?|enhancement|improvement|refactor|chore|perf|build|ci|style|revert|deps|release|"
        "i18n|l10n|a11y|ui|ux|suggestion|idea|request"), 0.9),
    ("a wish", "implementer", _first(
        "(?:it )?would be (?:nice|great|good|useful|helpful|cool)|(?:i|we)(?: would|'d) (?:like|love)|"
        "(?:can|could) (?:we|you) (?:please )?(?:add|have|get|support|make)|feature request|request for|"
        "better|faster|nicer|simpler|smarter"), 0.75),
    ("a thing for it", "implementer", _first(
        r"(?:(?:add|build|create|make|implement|show|write) )?(?:an? |the |new )*(?:tests?|(?:code )?reviews?|"
        rf"documents?|debug(?:ger)?|bug|crash|error|research|survey|design|audit|fix|docs) (?:{_THING})"), 0.75),
    ("to review", "reviewer", _first(
        r"(?:(?:code|peer|design|security|accessibility|final|architecture|legal|performance|a11y)[ -])?"
        r"(?:re-?view|audit|re-?inspect|inspect)|critique|double-check|proof-?read|approve|sign off|look over|go over|"
        r"read (?:through|over)|second pair|vet"), 0.9),
    ("before it goes out", "reviewer", _both(
        "check|find|look|is|are|assess|judge|go|read|examine",
        r"pull request|pr #?[0-9]+|merge request|diff|to merge|"
        r"before (?:we |the |it |they )?(?:merg|releas|go-live|launch|deploy|sign)[a-z-]*"), 0.85),
    ("to check by list", "reviewer", _both("check", "for"), 0.65),
    ("to do a review", "reviewer", _both(
        "do|perform|conduct|carry out|run|have|hold|complete|request|make", "review|audit"), 0.85),
    ("a fault in prose", "documenter", _both(
        "fix|correct|repair|resolve", rf"typos?|spelling|grammar|wording|{_PROSE}"), 0.8),
    ("to find out by reading", "researcher", rf"{_first('find out')}(?!.*{_any(_TROUBLE)})", 0.8),
    ("to fix", "debugger", _first(
        r"(?:hot)?fix|debug|troubleshoot|diagnose|reproduce|resolve|repair|track down|hunt|bisect|trace|isolate|"
        r"find (?:out )?(?:the )?(?:why|root cause|cause|bug|source|leak)|figure out why|root[- ]cause|correct|solve"),
        0.9),
    ("to look into a fault", "debugger", _both(_LOOK, _TROUBLE), 0.8),
    ("to document", "documenter", _first("document|describe|explain|annotate|write up|write down|outline how"), 0.9),
    ("to write prose", "documenter", _both(_MAKE, _PROSE), 0.85),
    ("to test", "tester", _first(
        rf"(?:(?:{_KIND_OF_TEST}|manually|user|browser)[ -]?)*test(?:ing)?|cover|verify|fuzz|exercise|try(?: out)?|qa|"
        r"(?:increase|raise) (?:test )?coverage|simulate|prove|check that|confirm|assert|stress"), 0.85),
    ("to write tests", "tester", _both(
        rf"{_MAKE}|run|automate|define|design|plan|increase|raise|execute|perform|measure|port|split|mock", _TESTS),
        0.8),
    ("a trial", "tester",
        rf"{_first('[a-z0-9-]+(?: [a-z0-9-]+){0,3}? (?:tests?|drill|experiment)')}(?=:| (?:for|of|on|with)\b|$)", 0.75),
    ("why", "debugger", _first("why"), 0.8),
    ("a question of design", "architect", _any(
        r"which (?:service|module|layer|component|part|side)|who owns|what may|"
        r"how do we (?:keep|structure|split|model|version)"), 0.7),
    ("to find out", "researcher", _first(
        r"research|investigate|explore|evaluate|compare|survey|analy[sz]e|study|find out|look into|learn|assess|gather|"
        r"benchmark|spike|identify|understand|determine|discover|interview|examine|collect|estimate|figure out|"
        r"look for|list (?:all|the) options|read up|clarify|what|which|whether|how|should we|is it|find an?"),
        0.8),
    ("a question", "researcher", r"\?\s*$|\bwhat is possible\b|\bworth (?:it|[a-z]+ing)\b", 0.65),
    ("a study", "researcher", _any(
        r"feasibility|proof of concept|poc|(?:market|user) research|trade-?offs?|pros and cons|state of the art|"
        r"comparison|literature|competitors?|requirements (?:analysis|gathering)|options for|best practices?|vs|"
        "versus"), 0.7),
    ("to draw what is seen", "implementer", _both("design|style|lay out", _PICTURE), 0.5),
    ("to design", "architect", _first(
        r"(?:re-?)?design|re-?architect|architect|re-?think|reconsider|define|specify|model|propose|decide|choose|select|pick|outline|sketch|plan|"
        r"agree on|settle|structure|draw up|lay out|map out|draft|think through|conceive|formulate"), 0.8),
    ("a design to write", "architect", _both(_MAKE, _SHAPE), 0.8),
    ("prose by its name", "documenter", _first(
        rf"(?:[a-z0-9]+[ -]){{0,3}}?(?:{_PROSE}|man ?page|typos?|reference card|overview for [a-z ]*)"),
        0.75),
    ("something fails", "debugger", _first(
        r"(?:(?!(?:when|if|that|which|who|so|as|until|before|after|in case|how|what|where)\b)[^ ]+ ){1,4}?"
        r"(?:fails|crashes|hangs|breaks|freezes|throws|stops|ignores|loses|leaks|cannot|can't|no longer|not working|"
        r"(?:is|are) (?:broken|corrupt|wrong|empty|slow|stuck|missing|ignored)|"
        r"gives|takes|produces|keeps|appears|grows|gets|goes|becomes|redirects to|returns an?|"
        r"(?:does|do|is|are|did|was|has|wo)(?: not|n't))|"
        r"(?:build|compil[a-z]+|import|export|up(?:date|grade)|install[a-z]*|load|parse|render|sync|release) "
        r"(?:errors?|failures?|bugs?|issues?|problems?)"), 0.8),
    ("to build", "implementer", _first(_BUILD), 0.85),
    ("tests", "tester", _any(
        rf"(?:{_KIND_OF_TEST})[ -]test(?:s|ing)?|test (?:suite|plan|cases?|coverage)|tests|testing"), 0.7),
    ("a fault", "debugger", _any(_TROUBLE), 0.7),
    ("prose", "documenter", _any(
        rf"{_PROSE}|overview|introduction|primer|explained|(?:privacy|legal|policy) text"), 0.65),
    ("a rehearsal", "tester", _any(
        "soak|dry run|rehears(?:al|e)|bug bash|play-?test|trial run|drill|worst[- ]case"), 0.65),
    ("one or the other", "architect", r"^[^:]*:.*\bor\b", 0.6),
    ("architecture", "architect", _any(
        rf"{_SHAPE}|design|interface contract|specification|spec|boundaries|invariants|failure modes|partitioning|"
        r"conventions|ownership|concept|topology|blueprint|layering"), 0.65),
    ("review", "reviewer", _any("review|audit|sign-?off|checklist|assessment|second opinion"), 0.65),
    ("research", "researcher", _any("research|spike|investigation|evaluation|analysis|survey|study"), 0.65),
    ("a change", "implementer", _any(
        r"support|implementation|integration|refactoring|migration|setup|upgrade|endpoint|option to|ability to|"
        r"should (?:be|have|show|allow|support|use)|new (?:feature|command|page|option|api)"), 0.65),
    ("what happens", "debugger", _any(
        "when(?:ever)?|since|until|(?<!look )after|although|even though|despite|instead of|every time"), 0.55),
)  # fmt: skip

_VERB = re.compile(
    rf"{_BUILD}|{_MAKE}|{_LOOK}|fix|debug|document|test|cover|verify|review|audit|design|define|research|compare"
)
_FORM = re.compile("([a-z]{2,})(?:ing|ed)")
RULES = tuple(Rule(name, specialist, re.compile(pattern), sure) for name, specialist, pattern, sure in _TABLE)
KNOWN = frozenset(rule.specialist for rule in RULES)


def signs_of(title: str, description: str = "") -> dict[str, int]:
    """Return the words of a task, and its first rule as one more: a project learns what the rules are worth to it."""
    rules = matching(title, KNOWN)[:1]
    return words_of(title, description) | {RULE + rule.name: 1 for rule in rules}


def matching(title: str, specialists: Collection[str]) -> list[Rule]:
    """Return the rules that a title meets, in order, the first of each specialist that there is."""
    text = _with_verb(" ".join(plain(title[:_CHARS])[:_CHARS].replace("\u2019", "'").split()))
    found: dict[str, Rule] = {}
    for rule in RULES:
        if rule.specialist in specialists and rule.specialist not in found and (met := rule.pattern.search(text)):
            found[rule.specialist] = replace(rule, said=shortened(met.group(), _SAID))
    return list(found.values())


def _with_verb(text: str) -> str:
    """Return a title with its first word as a verb that rules know: `Adding tests` and `Added tests` as `add tests`."""
    first, _, rest = text.partition(" ")
    if (found := _FORM.fullmatch(first)) is None:
        return text
    stem = found[1]
    verbs = (stem, f"{stem}e", stem[:-1] if stem[-1:] == stem[-2:-1] else "")
    return next((f"{verb} {rest}" for verb in verbs if _VERB.fullmatch(verb)), text)
