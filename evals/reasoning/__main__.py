"""How fast and how right the ``reasoning`` guard is: ``python -m evals.reasoning``.

It writes ``evals/results/guards-reasoning.json`` and ``.md``: processor time of a proof with a warm solver over a
policy of 20 rules, of the lint when it is loaded, of a whole answer through the patterns; the time there and back to
the solver's process; and, over random policies of small domains, how often the finding is what counting says.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from evals.intervals import wilson
from evals.reasoning.truth import agree
from evals.stamp import stamp
from guardrails.reasoning import ReasoningCheck, ReasoningConfig, Shelf, compile_reasoning, prove, settle
from guardrails.reasoning.lint import lint
from guardrails.reasoning.prove import Reading, make_job
from guardrails.reasoning.solver import Warm, load_z3
from guardrails.reasoning.terms import Term, Variable, number
from guardrails.views import Prove, View
from router.serve.guards.prover import Prover

RESULTS: Final = Path(__file__).parents[1] / "results"
SEED: Final = 20261124
PASSES: Final = 3
GOAL_MS: Final = 10.0
LINT_GOAL_MS: Final = 1000.0

POLICY: Final[dict[str, Any]] = {
    "name": "leave",
    "variables": {
        "months": {"type": "int", "unit": "month", "min": 0, "max": 600, "description": "months in the company"},
        "days": {"type": "int", "unit": "day", "min": 0, "max": 365, "description": "days of leave asked for"},
        "notice": {"type": "int", "unit": "day", "min": 0, "max": 365, "description": "days of notice given"},
        "balance": {"type": "number", "min": 0, "max": 60, "description": "days of leave left"},
        "pay": {"type": "number", "unit": "percent", "min": 0, "max": 100, "description": "share of the salary paid"},
        "contract": {"type": "enum", "description": "contract", "values": ["permanent", "fixed", "intern", "agency"]},
        "kind": {"type": "enum", "description": "kind of leave", "values": ["annual", "sick", "parental", "unpaid"]},
        "site": {"type": "enum", "description": "place of work", "values": ["office", "plant", "remote"]},
        "note": {"type": "bool", "description": "a doctor's note was given"},
        "manager": {"type": "bool", "description": "the manager agreed"},
        "busy": {"type": "bool", "description": "it is a blackout week"},
        "approved": {"type": "bool", "description": "the leave is approved"},
        "carry": {"type": "bool", "description": "days may be carried over"},
    },
    "rules": {
        "balance": "if kind = annual and approved then days <= balance",
        "notice-short": "if kind = annual and days <= 5 and approved then notice >= 7",
        "notice-long": "if kind = annual and days > 5 and approved then notice >= 30",
        "agency": "if contract = agency then not approved",
        "intern-cap": "if contract = intern and kind = annual and approved then days <= 10",
        "probation": "if months < 3 and kind = annual then not approved",
        "sick-note": "if kind = sick and days > 3 and not note then not approved",
        "sick-due": "if kind = sick and (days <= 3 or note) and contract != agency then approved",
        "sick-pay": "if kind = sick and approved then pay >= 80",
        "annual-pay": "if kind = annual and approved then pay = 100",
        "unpaid-pay": "if kind = unpaid then pay = 0",
        "parental-months": "if kind = parental and months < 12 then not approved",
        "parental-pay": "if kind = parental and approved then pay >= 60 and pay <= 100",
        "unpaid-manager": "if kind = unpaid and approved then manager",
        "blackout": "if busy and site = plant and kind in [annual, unpaid] then not approved",
        "remote-manager": "if site = remote and kind = annual and approved then manager",
        "carry": "if carry then contract = permanent and balance > 0",
        "carry-cap": "if carry and months < 24 then balance <= 5",
        "accrual": "if contract = permanent then balance <= 1.5 * months + 5",
        "denied-pay": "if not approved and kind != unpaid then pay = 0",
    },
    "readings": [
        r"(?:been here|worked here) (?:for )?{months}",
        r"(?:take|want|need) {days}(?: of)? (?:off|leave|vacation)?",
        r"{notice} notice",
        r"{kind} leave",
        r"(?:an?|on an?|my) {contract} (?:contract|employee)?",
        {"pattern": r"leave (?:is|will be) approved|you can take", "says": "approved"},
        {"pattern": r"(?:cannot|can't) take|not approved|be refused", "says": "not approved"},
        r"paid (?:at )?{pay}",
        {"pattern": r"doctor's note", "says": "note", "of": "premise"},
    ],
}
QUESTIONS: Final = (
    ("I have worked here for two months. Can I take 4 days off as annual leave?", "Yes, you can take 4 days."),
    ("I need 5 days of sick leave and have a doctor's note.", "Your leave is approved and paid at 100 percent."),
    ("I am on an agency contract and want 2 days off.", "Your annual leave will be approved."),
    ("What is the weather like?", "Sunny, with a light breeze from the west."),
    ("I have been here for 8 months. How about parental leave?", "It will be refused: you cannot take it yet."),
)


def random_statement(dice: random.Random, variable: Variable) -> Term:
    """A statement about one variable."""
    here: Term = ("var", variable.name)
    kind = variable.sort.kind
    if kind == "bool":
        return here if dice.random() < 0.5 else ("not", here)
    if kind == "enum":
        return ("=", here, ("enum", variable.name, dice.choice(variable.sort.values)))
    high = int(variable.high) if variable.high is not None else 100  # type: ignore[arg-type]
    return (dice.choice(("=", "=", "=", "<=", ">=", "<", ">")), here, number(dice.randint(0, high)))


def random_reading(dice: random.Random, variables: Sequence[Variable]) -> Reading:
    """Up to five premises and one to three claims, about different variables."""
    chosen = dice.sample(variables, dice.randint(1, 8))
    claims = chosen[: dice.randint(1, min(3, len(chosen)))]
    premises = chosen[len(claims) :]
    return Reading(tuple(random_statement(dice, v) for v in premises), tuple(random_statement(dice, v) for v in claims))


def percentiles(milliseconds: Iterable[float]) -> dict[str, float]:
    """Of a list of times."""
    ordered = sorted(milliseconds)
    picked = {f"p{share}": ordered[min(len(ordered) - 1, len(ordered) * share // 100)] for share in (50, 95, 99)}
    return {"n": len(ordered), **{k: round(v, 3) for k, v in picked.items()}, "max": round(ordered[-1], 3)}


def timed(work: Callable[[], Any], clock: Callable[[], float] = time.process_time) -> tuple[float, Any]:
    """Milliseconds, and what came of it."""
    begun = clock()
    found = work()
    return (clock() - begun) * 1e3, found


def measure_proofs(check: ReasoningCheck, count: int, passes: int = PASSES) -> dict[str, Any]:
    """Processor time of a proof, rules warm; by finding.

    Each pass begins with a solver of its own and goes through the same jobs, so all passes do the same work; the least
    time of a job is taken, for the machine does other work. ``one_pass`` is the first pass alone.
    """
    dice = random.Random(SEED)
    variables = list(check.book.variables.values())
    jobs = [
        make_job(check.book, random_reading(dice, variables), [], agreement=1.0, limit_ms=250) for _ in range(count)
    ]
    runs = [_one_pass(jobs) for _ in range(passes)]
    times = [min(spent) for spent in zip(*(spent for spent, _ in runs), strict=True)]
    by_finding: dict[str, list[float]] = {}
    for spent, findings in zip(times, runs[0][1], strict=True):
        for finding in findings:
            by_finding.setdefault(finding, []).append(spent)
    rows = {name: percentiles(by_finding[name]) for name in sorted(by_finding)}
    return {"all": percentiles(times), "one_pass": percentiles(runs[0][0]), **rows}


def _one_pass(jobs: Sequence[dict[str, Any]]) -> tuple[list[float], list[set[str]]]:
    """Times, and the findings, of all jobs."""
    shelf = Shelf(clock=time.monotonic)
    prove(jobs[0], shelf)
    done = [timed(partial(prove, job, shelf)) for job in jobs]
    return [spent for spent, _ in done], [{one["finding"] for one in reply["findings"]} for _, reply in done]


def measure_answers(check: ReasoningCheck, rounds: int) -> dict[str, Any]:
    """Processor time of a whole answer: patterns, proof, words."""
    shelf = Shelf(clock=time.monotonic)
    views = [View(answer, question) for question, answer in QUESTIONS]

    def solve(wanted: Prove) -> Any:
        return prove(wanted.job, shelf)

    settle(check.judge(views[0]), prover=solve)
    rounds_of = [view for _ in range(rounds) for view in views]
    times = [timed(partial(_settled, check, view, solve))[0] for view in rounds_of]
    return percentiles(times)


def _settled(check: ReasoningCheck, view: View, solve: Callable[[Prove], Any]) -> Any:
    return settle(check.judge(view), prover=solve)


async def measure_child(check: ReasoningCheck, count: int) -> dict[str, Any]:
    """Wall time there and back to the solver's process, rules warm."""
    dice = random.Random(SEED)
    variables = list(check.book.variables.values())
    prover = Prover()
    times = []
    try:
        for index in range(count + 1):
            job = make_job(check.book, random_reading(dice, variables), [], agreement=1.0, limit_ms=250)
            begun = time.perf_counter()
            await prover.prove(Prove(check.book.hash, job))
            if index:
                times.append((time.perf_counter() - begun) * 1e3)
    finally:
        await prover.close()
    return percentiles(times)


def report(count: int) -> dict[str, Any]:
    """Everything that is written down."""
    config = ReasoningConfig.model_validate(POLICY)
    load_ms, _ = timed(load_z3)
    check = compile_reasoning(config, 0)
    lint_ms = min(timed(lambda: lint(check.book))[0] for _ in range(3))
    build_ms = min(timed(lambda: Warm(check.book))[0] for _ in range(3))
    right, of, kinds = agree(SEED, count)
    return {
        **stamp("python -m evals.reasoning"),
        "solver": load_z3().get_version_string(),
        "load": os.getloadavg()[0],
        "policy": {"rules": len(check.book.rules), "variables": len(check.book.variables)},
        "cpu_ms": {
            "proof": measure_proofs(check, count),
            "answer": measure_answers(check, max(1, count // len(QUESTIONS))),
            "lint": round(lint_ms, 1),
            "build_solver": round(build_ms, 1),
            "load_library": round(load_ms, 1),
        },
        "wall_ms": {"child": asyncio.run(measure_child(check, count // 2))},
        "truth": {"right": right, "n": of, "interval": wilson(right, of), "findings": dict(sorted(kinds.items()))},
        "warnings": [complaint.message for complaint in check.warnings],
    }


def markdown(result: dict[str, Any]) -> str:
    """The same as a page."""
    spent, truth = result["cpu_ms"], result["truth"]
    low, high = truth["interval"]
    rows = [("proof", spent["proof"]["all"])]
    rows += [(f"proof, {name.replace('_', ' ')}", row) for name, row in spent["proof"].items() if name != "all"]
    rows += [("answer: patterns, proof, words", spent["answer"]), ("child, wall", result["wall_ms"]["child"])]
    table = "\n".join(f"| {name} | {r['n']} | {r['p50']} | {r['p95']} | {r['p99']} | {r['max']} |" for name, r in rows)
    counted = ", ".join(f"{name} {number}" for name, number in truth["findings"].items())
    goal = "kept" if spent["proof"]["all"]["p99"] <= GOAL_MS else "not kept"
    lint_goal = "kept" if spent["lint"] <= LINT_GOAL_MS else "not kept"
    size = f"{result['policy']['rules']} rules over {result['policy']['variables']} variables"
    return f"""# Rules, proved

`{result["command"]}`, {result["date"]}, commit {result["commit"]}, {result["machine"]}, z3 {result["solver"]}.
A policy of {size}; random statements, up to seven premises and three claims.
Milliseconds of processor time, the solver warm, the least of {PASSES} passes with a fresh solver each; "one pass" is
the first alone. Of the child wall time. The machine did other work meanwhile (load {result["load"]:.1f}).

| what | n | p50 | p95 | p99 | max |
|---|---|---|---|---|---|
{table}

Goal: a proof within {GOAL_MS:g} ms at p99: {goal}. Lint when loaded: {spent["lint"]} ms
(goal {LINT_GOAL_MS:g} ms: {lint_goal}). Rules into the solver: {spent["build_solver"]} ms, once.

Random policies of small domains, every case counted: {truth["right"]} of {truth["n"]} findings are the truth
({low:.2%} to {high:.2%}, Wilson 95 %): {counted}.
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and write both files."""
    parser = argparse.ArgumentParser(description="Measure the reasoning guard.")
    parser.add_argument("--count", type=int, default=1000, help="random statements, and random policies")
    result = report(parser.parse_args(arguments).count)
    (RESULTS / "guards-reasoning.json").write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", "utf-8")
    (RESULTS / "guards-reasoning.md").write_text(markdown(result), "utf-8")
    print(markdown(result))


if __name__ == "__main__":
    main()
