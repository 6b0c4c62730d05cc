"""A loop as one HTML file: whatever there is of it, every text of others as text, and nothing that is asked for."""

from html.parser import HTMLParser

import msgspec
import pytest
from click.testing import CliRunner

from evals.distill.folder import Folder, write_json
from evals.distill.progress import next_of, steps_of
from evals.distill.report.facts import facts_of
from evals.distill.state import state_of
from evals.distill.trainers.base import Student
from evals.runs.record import Item, Run
from evals.runs.store import write_run
from stillhouse.cli.distill import command
from tests.evals.distill import made

ATTACK = "</pre><script>alert('x')</script><img src=http://evil.example/x onerror=alert(1)>\u202e\"'"


class Seen(HTMLParser):
    """What a browser would see: tags, names of attributes, and where they lead."""

    def __init__(self):
        super().__init__()
        self.tags, self.names, self.links = set(), set(), []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.names |= {name for name, _ in attrs}
        self.links += [value for name, value in attrs if name in {"src", "href", "srcset", "action", "data"}]


def run(*arguments):
    return CliRunner().invoke(command, ["report", *arguments], catch_exceptions=False)


@pytest.fixture
def folder(home):
    return made.curated(home)


def student(folder, digest="a1" * 16, **more):
    given = {"kind": "gguf", "name": "writer", "base": "base-1", "teacher": "big-1", "dataset_hash": "d" * 32,
             "recipe_hash": "r" * 32, "seconds": 120.0, "rows": 60, "losses": ((1, 2.0), (10, 1.0), (20, 0.5))}  # fmt: skip
    path = folder.student(digest) / "student.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(msgspec.json.encode(Student(**{**given, **more})))


def judged(folder, verdict="no", digest="a1" * 16, name="writer"):
    metric = {"metric": "exact", "verdict": verdict, "current": 0.5, "candidate": 0.4, "gain": -0.1, "low": -0.2,
              "high": -0.05, "rows": 20}  # fmt: skip
    write_json(folder.root / "gate" / "0123456789abcdef.json", {
        "verdict": verdict, "says": ATTACK, "student": {"digest": digest}, "candidate": {"name": name},
        "metrics": [metric],
    })  # fmt: skip


def asked(folder, n=20):
    """A run of the gate in which the candidate loses row 1 and wins row 2."""
    right = {"candidate": lambda at: at != 1, "current": lambda at: at != 2}
    items = [
        Item(target=name, id=f"row-{at}", prompt=f"{ATTACK} {at}", reference="wanted", answer=f"{name} says {ATTACK}",
             quality=float(ok(at)), cost_nano=1_000 if name == "candidate" else 3_000, baseline_nano=9_000)
        for name, ok in right.items() for at in range(n)
    ]  # fmt: skip
    header = Run(id="20260101T000000Z-holdout-aaaa", suite="holdout", suite_hash="h", targets=tuple(right),
                 started="2026-01-01T00:00:00Z", ended="2026-01-01T00:01:00Z", rows=n, spent_nano=60_000)  # fmt: skip
    write_run(folder.root / "gate" / "runs", header, items)


def page(folder):
    done = run("loop")
    assert done.exit_code == 0, done.output
    return (folder.root / "report.html").read_text("utf-8")


def test_a_whole_loop_is_told_from_its_failures_to_its_savings(folder):
    student(folder)
    judged(folder)
    asked(folder)
    write_json(folder.root / "labels" / "manifest.json", {"passes": [{"teacher": "large"}], "paid_nano": 2_000_000})
    html = page(folder)
    assert "The gate says no" in html
    assert "refund" in html
    assert "Learning curve of writer" in html
    assert "<polyline" in html
    assert "1,000 answers of the candidate cost $0.002000 less than what it would replace." in html
    assert "saved after 1,030 answers" in html
    assert "Answered worse than before: 1 row; better: 1." in html
    assert "└─ writer (gguf, a1a1a1a1a1a1): no" in html
    assert (folder.root / "report.html").stat().st_mode & 0o077 == 0


def test_texts_of_others_are_text(folder):
    student(folder, name=ATTACK)
    judged(folder, name=ATTACK)
    asked(folder)
    html = page(folder)
    assert "<script" not in html
    assert "<img" not in html
    assert "\u202e" not in html
    assert "&lt;script&gt;" in html
    assert html.count("</pre>") == html.count("<pre")


def test_the_page_asks_for_nothing(folder):
    student(folder)
    asked(folder)
    html = page(folder)
    seen = Seen()
    seen.feed(html)
    assert "default-src 'none'; style-src" in html.replace("&#x27;", "'")
    assert seen.links == ["data:,"]
    assert not seen.tags & {"script", "img", "iframe", "form", "object"}
    assert not [name for name in seen.names if name.startswith("on")]
    assert "url(" not in html


def test_what_has_not_been_done_is_said(home, folder):
    html = page(folder)
    for words in ("There is no student yet.", "Nobody was judged yet.", "Known when the gate has asked both sides."):
        assert words in html
    Folder.of(home, "new").root.mkdir()
    assert run("new").exit_code == 0
    assert "Nothing is curated yet" in (home / "distill" / "new" / "report.html").read_text("utf-8")


def test_a_loop_that_is_not_there_and_a_damaged_run_are_said(folder):
    assert "there is no loop 'none'" in run("none").output
    asked(folder)
    (path,) = (folder.root / "gate" / "runs").glob("*/items.jsonl")
    path.write_text("[")
    done = run("loop")
    assert done.exit_code == 2
    assert "items.jsonl" in done.output.replace("\n", "")


def test_equal_loops_give_equal_pages(folder):
    student(folder)
    asked(folder)
    assert page(folder) == page(folder)


def test_each_step_names_the_next(home, folder):
    told = state_of(folder)
    assert [step.name for step in steps_of(told)] == [
        "import",
        "curate",
        "label",
        "export",
        "train",
        "gate",
        "register",
    ]
    assert next_of(told).endswith("stillhouse distill train loop --trainer nano")
    assert "2 answers that are missing: stillhouse distill label loop" in next_of(told | {"unanswered": 2})
    student(folder)
    assert next_of(state_of(folder)).endswith("stillhouse distill gate loop writer --against small")
    judged(folder, "no")
    assert "the gate let no student through" in next_of(state_of(folder))
    judged(folder, "yes")
    assert next_of(state_of(folder)).endswith("writer: stillhouse distill register loop a1a1a1a1a1a1 --tier small")
    told = state_of(folder) | {"registered": {"a1" * 16: "our-small"}}
    assert next_of(told).startswith("the gate says yes of our-small: put it forward, for a person to approve: ")
    assert next_of(told).endswith("stillhouse distill propose loop a1a1a1a1a1a1 --policy FILE --by NAME")
    assert steps_of(told)[-1] == ("register", "our-small", True, True)
    broken = folder.student("b2" * 16) / "asked.json"
    broken.parent.mkdir()
    broken.write_text("{}")
    trained = next(step for step in steps_of(state_of(folder)) if step.name == "train")
    assert trained.says == "1 student; 1 training was cut short; the same command goes on"


def test_words_of_a_cluster_tell_it_from_the_others(folder):
    words = {word for cluster in facts_of(folder).clusters for word in cluster.words[:1]}
    assert words & {"refund", "invoice"}
