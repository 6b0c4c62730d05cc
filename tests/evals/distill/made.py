"""Rows made for tests: our own words, seeded."""

import random

from evals.distill.curate.rules import Rules
from evals.distill.curate.run import curate
from evals.distill.example import Example, Message, encode, prompt_id
from evals.distill.folder import Folder

SUBJECTS = ("refund", "invoice", "delivery", "password", "warranty", "subscription", "upgrade", "cancellation")


def text(rng, subject, words=30):
    """A prompt about a subject; no two alike."""
    filler = ["".join(rng.choice("bcdfgklmnprstvz") + rng.choice("aeiou") for _ in range(3)) for _ in range(words)]
    for at in range(0, words, 3):
        filler[at] = subject
    return " ".join(filler)


def row(said, *, answer="It is done.", **more):
    """One row."""
    messages = (Message("system", "Answer shortly."), Message("user", said))
    more = {"teacher": "teacher-1", "licence": "allowed", **more}
    return Example(id=prompt_id(messages), messages=messages, answer=answer, **more)


def rows(n, seed=1, failing=("refund", "invoice")):
    """Rows of which those about ``failing`` mostly failed."""
    rng = random.Random(seed)
    made = []
    for index in range(n):
        subject = SUBJECTS[index % len(SUBJECTS)]
        bad = rng.random() < (0.6 if subject in failing else 0.02)
        made.append(row(text(rng, subject), failure="escalated" if bad else None, route=f"r{index % 2}"))
    return made


def curated(home):
    """The folder of a loop whose rows are chosen."""
    folder = Folder.of(home, "loop")
    source = folder.rows("captures")
    source.parent.mkdir(parents=True)
    curate([write(source, rows(400))], folder, Rules(budget=60, holdout_rows=20))
    return folder


def write(path, made):
    """The rows as a file."""
    path.write_bytes(b"".join(encode(one) + b"\n" for one in made))
    return path
