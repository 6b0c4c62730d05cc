"""From characters to a tree: the small language of rules, with the place of every mistake.

    expression := "if" expression "then" expression ["else" expression] | choice
    choice     := both ("or" both)*
    both       := denial ("and" denial)*
    denial     := "not" denial | comparison
    comparison := sum [("=" | "!=" | "<" | "<=" | ">" | ">=") sum | ["not"] "in" list]
    sum        := product (("+" | "-") product)*
    product    := sign ("*" sign)*
    sign       := "-" sign | number | date | "true" | "false" | name | 'text' | "(" expression ")"
    list       := "[" sign ("," sign)* "]"

Names are words of any script. What they mean is not known here (``meaning``).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NoReturn, TypeAlias

MAX_TEXT: Final = 2048
MAX_TOKENS: Final = 300
MAX_NESTING: Final = 40
MAX_DIGITS: Final = 30

_TOKEN: Final = re.compile(
    r"""(?P<date>\d{4}-\d{2}-\d{2}(?![\w-]))
    |(?P<number>\d[\d_]*(?:\.\d+)?(?!\w))
    |(?P<name>[^\W\d]\w*)
    |(?P<text>'[^'\n]*'|"[^"\n]*")
    |(?P<mark><=|>=|!=|==|=>|[=<>≤≥≠+\-*×()\[\]{},])""",
    re.VERBOSE,
)
_WORDS: Final = frozenset({"if", "then", "else", "and", "or", "not", "in", "true", "false"})
_SAME: Final = {"==": "=", "≤": "<=", "≥": ">=", "≠": "!=", "×": "*", "{": "[", "}": "]"}
_COMPARE: Final = frozenset({"=", "!=", "<", "<=", ">", ">="})


class ExpressionError(ValueError):
    """An expression is wrong.

    Attributes:
        message: what is wrong.
        column: where, counted from 1.
        hint: how to mend it.
    """

    def __init__(self, message: str, column: int, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.column = column
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Node:
    """A piece of an expression before its names are known.

    Attributes:
        op: ``name``, ``text``, ``number``, ``date``, ``bool``, or an operator of ``terms``.
        text: of an atom.
        parts: of an operator.
        column: where it stands, counted from 1.
    """

    op: str
    column: int
    text: str = ""
    parts: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    column: int


def parse(text: str) -> Node:
    """The tree of an expression.

    Raises:
        ExpressionError: it is not one.
    """
    reader = _Reader(_tokens(text))
    node = reader.expression()
    reader.end()
    return node


def _tokens(text: str) -> list[_Token]:
    if len(text) > MAX_TEXT:
        raise ExpressionError(f"it is longer than {MAX_TEXT} characters", MAX_TEXT + 1, "split it into several rules")
    found: list[_Token] = []
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        match = _TOKEN.match(text, at)
        if match is None:
            raise _strange(text, at)
        found.append(_token(match, at + 1))
        at = match.end()
        if len(found) > MAX_TOKENS:
            raise ExpressionError(f"it has more than {MAX_TOKENS} words", at, "split it into several rules")
    found.append(_Token("end", "", len(text) + 1))
    return found


def _token(match: re.Match[str], column: int) -> _Token:
    kind, text = str(match.lastgroup), match.group()
    if kind == "name" and text.lower() in _WORDS:
        return _Token("word", text.lower(), column)
    if kind == "number":
        text = text.replace("_", "")
        if len(text) > MAX_DIGITS or not text.isascii():
            raise ExpressionError(
                "this is not a number that can be used", column, f"at most {MAX_DIGITS} digits, 0 to 9"
            )
    if kind == "date" and not text.isascii():
        raise ExpressionError("this is not a date", column, "write it in digits 0 to 9")
    return _Token(kind, _SAME.get(text, text), column)


def _strange(text: str, at: int) -> ExpressionError:
    hints = {
        "&": "write 'and'",
        "|": "write 'or'",
        "!": "write 'not'",
        "/": "there is no division: multiply the other side",
        "%": "there are no percentages: 0.1 * price is ten percent of it",
        "'": "the quotation mark is not closed",
        '"': "the quotation mark is not closed",
    }
    if text[at].isdigit():
        return ExpressionError("a number runs into letters", at + 1, "leave a space, or begin a name with a letter")
    return ExpressionError(f"{text[at]!r} means nothing here", at + 1, hints.get(text[at], ""))


_Method: TypeAlias = Callable[[], Node]


class _Reader:
    """Recursive descent over the tokens; one method for each line of the grammar."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    def expression(self) -> Node:
        self._down()
        node = self._condition() if self._word("if") else self._choice()
        self._depth -= 1
        return node

    def end(self) -> None:
        token = self._now
        if token.text == "=>":
            raise ExpressionError("'=>' is not used here", token.column, "write 'if ... then ...'")
        if token.text in _COMPARE:
            raise ExpressionError("a comparison has two sides", token.column, "write 'a < b and b < c'")
        if token.kind == "word" and token.text == "then":
            raise ExpressionError("'then' without 'if'", token.column, "begin with 'if'")
        if token.kind != "end":
            self._fail("the expression should end here", "is an operator ('and', 'or', '=') missing?")

    def _condition(self) -> Node:
        column = self._tokens[self._at - 1].column
        premise = self.expression()
        if not self._word("then"):
            self._fail("'then' is missing", "write 'if ... then ...'")
        then = Node("=>", column, parts=(premise, self.expression()))
        if not self._word("else"):
            return then
        other = Node("=>", column, parts=(Node("not", column, parts=(premise,)), self.expression()))
        return Node("and", column, parts=(then, other))

    def _choice(self) -> Node:
        return self._chain("or", self._both)

    def _both(self) -> Node:
        return self._chain("and", self._denial)

    def _chain(self, word: str, inner: _Method) -> Node:
        column = self._now.column
        found = [inner()]
        while self._word(word):
            found.append(inner())
        return found[0] if len(found) == 1 else Node(word, column, parts=tuple(found))

    def _denial(self) -> Node:
        column = self._now.column
        if not self._word("not"):
            return self._comparison()
        self._down()
        node = Node("not", column, parts=(self._denial(),))
        self._depth -= 1
        return node

    def _comparison(self) -> Node:
        left = self._sum()
        token = self._now
        if token.kind == "mark" and token.text in _COMPARE:
            self._at += 1
            return Node(token.text, token.column, parts=(left, self._sum()))
        negated = token.text == "not" and token.kind == "word"
        if negated:
            self._at += 1
        if self._word("in"):
            node = self._one_of(left, token.column)
            return Node("not", token.column, parts=(node,)) if negated else node
        if negated:
            self._fail("'in' should follow 'not'", "write 'x not in [a, b]', or put an 'and' before 'not'")
        return left

    def _one_of(self, left: Node, column: int) -> Node:
        if not self._mark("["):
            self._fail("a list should follow 'in'", "write it in brackets: x in [a, b]")
        found = [self._sign()]
        while self._mark(","):
            found.append(self._sign())
        if not self._mark("]"):
            self._fail("the list is not closed", "end it with ']'")
        equal = tuple(Node("=", column, parts=(left, item)) for item in found)
        return equal[0] if len(equal) == 1 else Node("or", column, parts=equal)

    def _sum(self) -> Node:
        return self._left("+-", self._product)

    def _product(self) -> Node:
        return self._left("*", self._sign)

    def _left(self, marks: str, inner: _Method) -> Node:
        node = inner()
        while self._now.kind == "mark" and self._now.text in marks:
            token = self._now
            self._at += 1
            node = Node(token.text, token.column, parts=(node, inner()))
        return node

    def _sign(self) -> Node:
        token = self._now
        if self._mark("-"):
            self._down()
            node = Node("neg", token.column, parts=(self._sign(),))
            self._depth -= 1
            return node
        if self._mark("("):
            node = self.expression()
            if not self._mark(")"):
                self._fail("a ')' is missing")
            return node
        return self._atom()

    def _atom(self) -> Node:
        token = self._now
        if token.kind in ("name", "number", "date"):
            self._at += 1
            return Node(token.kind, token.column, token.text)
        if token.kind == "text":
            self._at += 1
            return Node("text", token.column, token.text[1:-1])
        if token.kind == "word" and token.text in ("true", "false"):
            self._at += 1
            return Node("bool", token.column, token.text)
        return self._fail("a value is missing" if token.kind == "end" else "a value should stand here")

    @property
    def _now(self) -> _Token:
        return self._tokens[self._at]

    def _word(self, word: str) -> bool:
        return self._take("word", word)

    def _mark(self, mark: str) -> bool:
        return self._take("mark", mark)

    def _take(self, kind: str, text: str) -> bool:
        token = self._now
        if token.kind == kind and token.text == text:
            self._at += 1
            return True
        return False

    def _down(self) -> None:
        self._depth += 1
        if self._depth > MAX_NESTING:
            self._fail(f"it is nested more than {MAX_NESTING} deep", "split it into several rules")

    def _fail(self, message: str, hint: str = "") -> NoReturn:
        token = self._now
        seen = "the end" if token.kind == "end" else repr(token.text)
        raise ExpressionError(f"{message}, not {seen}" if "should" in message else message, token.column, hint)
