"""Which words of a plan are about this one job, and how a template says them instead. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from itertools import count, pairwise

RECURS = 3  # titles
PHRASES = 6
_LONGEST = 4  # words of a phrase
_LENGTH = range(3, 81)
_ALIKE = 0.5  # of two titles, for their difference to mean something
_TELLING = 12  # characters of a value that is recognised outside of titles
_WORD = re.compile(r"\w(?:[\w.'-]*\w)?")
_SAID = (
    "a about after all an and any are as at be before by do each every first for from has in into is it "
    "its last more new next no not of off old on one only or other our out over part per same so than "
    "that the their then this to two up use used was what when where which who why will with without add "
    "analyse analyze audit build change check choose clean code compare create decide define deploy "
    "describe design docs document documentation draft explore find fix implement implementation improve "
    "investigate make migrate move plan prepare publish refactor release remove research review rewrite "
    "run scope ship step study task test tests update verify work write"
)
"""Words that say what is done, and those that every sentence has."""
_PLAIN = frozenset(_SAID.split())


def recurring(titles: Iterable[str], *, usual: Iterable[str] = ()) -> list[str]:
    """Return the phrases that recur in several titles, the weightiest first; `usual` are titles of like plans.

    What a like plan says as well is no part of the job.
    """
    known = {phrase for title in usual for phrase in _phrases(title)}
    counts = Counter(phrase for title in titles for phrase in _phrases(title))
    often = [phrase for phrase, number in counts.items() if number >= RECURS and phrase not in known]
    often.sort(key=lambda phrase: (-counts[phrase] * len(phrase.split()), -len(phrase), phrase))
    chosen: list[str] = []
    for phrase in often:
        if not overlaps(phrase, chosen):
            chosen.append(phrase)
    return chosen[:PHRASES]


def differing(titles: Sequence[str], others: Iterable[Sequence[str]]) -> list[str]:
    """Return what the titles say where those of like plans, step by step, say something else."""
    counts: Counter[str] = Counter()
    for other in others:
        counts.update(phrase for pair in zip(titles, other, strict=True) for phrase in set(_differences(*pair)))
    return [phrase for phrase, _ in sorted(counts.items(), key=lambda each: (-each[1], each[0]))][:PHRASES]


def values_said(values: Mapping[str, object], titles: Iterable[str], texts: Iterable[str]) -> dict[str, str]:
    """Return the names of a template's parameters by the values that the plan repeats."""
    in_titles, anywhere = "\n".join(titles), "\n".join(texts)
    return {
        value: name
        for name, value in values.items()
        if isinstance(value, str) and len(value) in _LENGTH and "\n" not in value
        if _has(value, in_titles) or (len(value) >= _TELLING and _has(value, anywhere))
    }


def named(phrases: Iterable[str], *, taken: Iterable[str] = ()) -> dict[str, str]:
    """Name parameters for phrases: subject, subject_2 and so on."""
    names = (name for number in count(1) if (name := f"subject_{number}" if number > 1 else "subject") not in taken)
    return dict(zip(phrases, names, strict=False))


class Wording:
    """Writes texts as a template has them: braces doubled, and each phrase as the parameter of that name."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names
        self._pattern = _any_of(names) if names else None

    def __call__(self, text: str) -> str:
        parts = self._parts(text)
        return "".join(f"{{{self._names[part]}}}" if n % 2 else escaped(part) for n, part in enumerate(parts))

    def without(self, text: str) -> str:
        """Leave the phrases out."""
        return "".join(self._parts(text)[::2])

    def _parts(self, text: str) -> list[str]:
        return self._pattern.split(text) if self._pattern else [text]


def escaped(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def _any_of(phrases: Iterable[str]) -> re.Pattern[str]:
    longest_first = sorted(phrases, key=len, reverse=True)
    return re.compile(r"(?<!\w)(" + "|".join(map(re.escape, longest_first)) + r")(?!\w)")


def _has(phrase: str, text: str) -> bool:
    return phrase in text and bool(_any_of([phrase]).search(text))


def overlaps(phrase: str, others: Iterable[str]) -> bool:
    """Whether a phrase is part of one of the others, or has it as a part."""
    return any(f" {phrase} " in f" {other} " or f" {other} " in f" {phrase} " for other in others)


def _phrases(title: str) -> set[str]:
    """Return every run of words that neither begins nor ends with a plain one."""
    words = list(_WORD.finditer(title))
    return {
        title[words[first].start() : words[last].end()]
        for first in range(len(words))
        for last in range(first, min(first + _LONGEST, len(words)))
        if not {words[first][0].lower(), words[last][0].lower()} & _PLAIN
        if words[last].end() - words[first].start() in _LENGTH and _has_letter(words[first][0])
        if all(title[one.end() : two.start()] == " " for one, two in pairwise(words[first : last + 1]))
    }


def _has_letter(word: str) -> bool:
    return any(map(str.isalpha, word))


def _differences(title: str, other: str) -> Iterator[str]:
    ours, theirs = title.split(" "), other.split(" ")
    matcher = SequenceMatcher(None, ours, theirs, autojunk=False)
    if matcher.ratio() < _ALIKE:
        return
    for kind, start, end, _, _ in matcher.get_opcodes():
        words = list(_WORD.finditer(" ".join(ours[start:end])))
        if kind == "replace" and words:
            phrase = " ".join(ours[start:end])[words[0].start() : words[-1].end()]
            if len(phrase) in _LENGTH:
                yield phrase
