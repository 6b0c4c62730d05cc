"""Rulebooks for the tests."""

from guardrails.reasoning import ReasoningConfig, compile_reasoning, prove
from guardrails.reasoning.prove import Reading, make_job
from guardrails.reasoning.rulebook import read_rulebook, understand

VARIABLES = {
    "days": {"type": "int", "unit": "days", "min": 0, "description": "days since delivery"},
    "price": {"type": "number", "unit": "USD", "min": 0, "description": "price"},
    "opened": {"type": "bool", "description": "the goods were opened"},
    "defective": {"type": "bool", "description": "the goods are defective"},
    "refundable": {"type": "bool", "description": "a refund is due"},
    "bought": {"type": "date", "description": "day of purchase"},
    "category": {
        "type": "enum",
        "description": "kind of goods",
        "values": {"electronics": ["laptop", "노트북"], "food": ["groceries"], "other": []},
    },
}
RULES = {
    "window": {"rule": "if days > 30 then not refundable", "words": "Returns within 30 days only."},
    "food": "if category = food then not refundable",
    "due": "if days <= 30 and not opened and category != food then refundable",
}
READINGS = [
    "delivered {days} ago",
    {"pattern": "you can get a refund|환불 가능", "says": "refundable"},
    {"pattern": "no refund|환불 불가", "says": "not refundable"},
    {"pattern": "opened it", "says": "opened"},
    "my {category}",
]


def config(**changes):
    settings = {"variables": VARIABLES, "rules": RULES, "readings": READINGS} | changes
    return ReasoningConfig.model_validate(settings)


def check(**changes):
    return compile_reasoning(config(**changes), 0)


def book(rules=RULES, variables=VARIABLES):
    return read_rulebook(config(variables=variables, rules=rules))


def reading(book, premises=(), claims=()):
    return Reading(*(tuple(understand(book, text) for text in texts) for texts in (premises, claims)))


def judged(book, premises=(), claims=(), shelf=None, translations=(), agreement=1.0):
    job = make_job(book, reading(book, premises, claims), list(translations), agreement=agreement, limit_ms=250)
    return prove(job, shelf)["findings"]
