"""Students made for tests: a head that knows some texts, and files that look like a model's."""

import hashlib

import msgspec
import numpy as np

from evals.distill.folder import write_json
from evals.distill.trainers.base import Student
from router.upstream.nano_head import BUCKETS, features, save, task_of
from tests.support.gguf import write_gguf

SYSTEM = "Answer shortly."


def head(folder, digest, knows, name="head", system=SYSTEM):
    """A nano student that answers each text of ``knows`` (text -> answer), and is not sure of anything else."""
    place = folder.student(digest)
    place.mkdir(parents=True)
    labels = sorted({*knows.values(), "something else"})
    weights, seen = np.zeros((2 * BUCKETS, len(labels)), np.float32), np.zeros(2 * BUCKETS, np.bool_)
    for text, answer in knows.items():
        buckets, values = features(text)
        weights[buckets, labels.index(answer)] += 8 * values
        seen[buckets] = True
    card = {"labels": labels, "tasks": [task_of([system])], "threshold": 0.9, "familiar": 0.9}
    sha256 = save(place, card, weights, np.zeros(len(labels), np.float32), seen)
    return told(place, kind="nano", name=name, weights="nano.json", sha256=sha256, base="nano")


def model(folder, digest, head, name="model", **settings):
    """A student of the kind GGUF, of a file with this head."""
    place = folder.student(digest)
    place.mkdir(parents=True)
    _, sha256 = write_gguf(place / "model.gguf", head)
    return told(place, kind="gguf", name=name, weights="model.gguf", sha256=sha256, base="tiny", settings=settings)


def told(place, **facts):
    """Leave ``student.json``."""
    known = {"teacher": "teacher-1", "dataset_hash": "d" * 32, "recipe_hash": "r" * 32, "seconds": 1.0, "rows": 60}
    student = Student(**{**known, **facts})
    write_json(place / "student.json", msgspec.to_builtins(student))
    return student


def digest(word):
    """A student's digest, as a trainer would name it."""
    return hashlib.sha256(word.encode()).hexdigest()[:32]
