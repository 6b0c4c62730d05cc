"""Rules in the subset of SMT-LIB that Amazon Bedrock writes, for bringing a policy over.

``(=> (and member (> days 3)) refundable)``: the same trees as ``syntax`` makes, from another spelling.
"""

from __future__ import annotations

import re
from functools import reduce
from itertools import pairwise
from typing import Final

from guardrails.reasoning.syntax import MAX_DIGITS, MAX_NESTING, MAX_TEXT, MAX_TOKENS, ExpressionError, Node

_TOKEN: Final = re.compile(r"\s*(?:(?P<open>\()|(?P<close>\))|\|(?P<quoted>[^|]*)\||(?P<atom>[^\s()|]+))")
_NUMBER: Final = re.compile(r"[0-9]+(\.[0-9]+)?")
_COMPARE: Final = frozenset({"=", "<", "<=", ">", ">="})
#: Operator -> fewest operands.
_OPERATORS: Final = {"=>": 2, "and": 1, "or": 1, "not": 1, "distinct": 2, "+": 1, "-": 1, "*": 1} | dict.fromkeys(
    _COMPARE, 2
)


def parse_smt(text: str) -> Node:
    """The tree of an s-expression.

    Raises:
        ExpressionError: it is not one of the subset.
    """
    if len(text) > MAX_TEXT:
        raise ExpressionError(f"it is longer than {MAX_TEXT} characters", MAX_TEXT + 1)
    stack: list[tuple[int, list[Node]]] = []
    whole: list[Node] = []
    at = count = 0
    while at < len(text.rstrip()):
        match = _TOKEN.match(text, at)
        if match is None:
            raise ExpressionError("the quotation '|' is not closed", at + 1)
        at, kind = match.end(), str(match.lastgroup)
        column = match.start(kind) + 1
        count += 1
        if count > MAX_TOKENS * 2 or len(stack) > MAX_NESTING:
            raise ExpressionError("it is too large", column, "split it into several rules")
        if kind == "open":
            stack.append((column, []))
            continue
        if kind == "close":
            if not stack:
                raise ExpressionError("')' without '('", column)
            begun, inner = stack.pop()
            node = _apply(begun, inner)
        else:
            node = Node("name", column, match[kind]) if kind == "quoted" else _atom(match[kind], column)
        (stack[-1][1] if stack else whole).append(node)
    if stack:
        raise ExpressionError("a ')' is missing", len(text) + 1)
    if len(whole) != 1 or whole[0].op == "operator":
        raise ExpressionError("this is not one expression", 1, "write one '(...)' for each rule")
    return whole[0]


def _atom(text: str, column: int) -> Node:
    if _NUMBER.fullmatch(text):
        if len(text) > MAX_DIGITS:
            raise ExpressionError("this is not a number that can be used", column, f"at most {MAX_DIGITS} digits")
        return Node("number", column, text)
    if text in ("true", "false"):
        return Node("bool", column, text)
    return Node("operator" if text in _OPERATORS else "name", column, text)


def _apply(column: int, inner: list[Node]) -> Node:
    if not inner or inner[0].op != "operator":
        known = ", ".join(_OPERATORS)
        raise ExpressionError("an operator should follow '('", inner[0].column if inner else column, f"known: {known}")
    head, given = inner[0], tuple(inner[1:])
    if len(given) < _OPERATORS[head.text] or any(node.op == "operator" for node in given):
        raise ExpressionError(f"{head.text!r} has too few operands", head.column)
    return _meaning(head, given)


def _meaning(head: Node, given: tuple[Node, ...]) -> Node:
    op, column = head.text, head.column
    if op in ("and", "or"):
        return given[0] if len(given) == 1 else Node(op, column, parts=given)
    if op == "not":
        if len(given) > 1:
            raise ExpressionError("'not' has one operand", column)
        return Node("not", column, parts=given)
    if op == "=>":  # to the right
        return reduce(lambda right, left: Node("=>", column, parts=(left, right)), reversed(given))
    if op == "distinct":
        pairs = [Node("!=", column, parts=(a, b)) for i, a in enumerate(given) for b in given[i + 1 :]]
    elif op in _COMPARE:
        pairs = [Node(op, column, parts=pair) for pair in pairwise(given)]
    elif len(given) == 1:
        return Node("neg", column, parts=given) if op == "-" else given[0]
    else:
        return reduce(lambda left, right: Node(op, column, parts=(left, right)), given)
    return pairs[0] if len(pairs) == 1 else Node("and", column, parts=tuple(pairs))
