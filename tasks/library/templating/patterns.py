"""Patterns of parameters: regular expressions without what can take for ever.

A pattern is a row of characters, escapes and classes, each with a quantifier or none, and three variable ones at most:
on 200 characters, that is quick whatever the value. Groups, alternatives, references and look-around are not there.
"""

from __future__ import annotations

import re

PATTERN_LIMIT = 200
VALUE_LIMIT = 200
"""Characters of a value that has to fit a pattern."""
_VARIABLE_LIMIT = 3
_CLASS = r"\[\^?(?:\\.|(?!--|&&|~~|\|\|)[^\\\[\]])+\]"
_ATOM = rf"(?:\\[dDwWsS]|\\[^\w\s]|{_CLASS}|[^\\\[\](){{}}*+?|^$])"
_PIECES = re.compile(rf"(?:{_ATOM}(?:\{{\d{{1,3}}(?:,\d{{0,3}})?\}}|[*+?])?)*+")
_VARIABLE = re.compile(rf"{_ATOM}(\{{\d*,\d*\}}|[*+?])?")


def problem_of(pattern: str) -> str:
    """Return what is wrong with a pattern; empty where it may be used."""
    if not pattern or len(pattern) > PATTERN_LIMIT:
        return f"a pattern has 1 to {PATTERN_LIMIT} characters"
    if not _PIECES.fullmatch(pattern):
        return "a pattern has characters, escapes such as \\d, classes such as [a-z], and *, +, ? or {m,n} on these"
    if sum(bool(quantifier) for quantifier in _VARIABLE.findall(pattern)) > _VARIABLE_LIMIT:
        return f"a pattern has at most {_VARIABLE_LIMIT} of *, +, ? and {{m,n}}"
    try:
        re.compile(pattern)
    except re.error as error:
        return f"not a regular expression: {error.msg}"
    return ""


def fits(pattern: str, value: str) -> bool:
    return len(value) <= VALUE_LIMIT and re.fullmatch(pattern, value) is not None
