"""Runs as a runner leaves them, made of seeded answers: any size, quickly."""

from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from evals.runs.record import Check, Item, Run
from evals.runs.store import write_run

WORDS = (
    "the a of in what which when how why please explain compute list write sort river price train garden number "
    "function integral mountain history recipe email table column error letter sentence summary translate "
    "서울 질문 문장 가격 정리 요약 번역 이유 함수 숫자"
).split()
TIERS = ("small", "medium", "large")
ABILITY = {"small": -0.3, "medium": 0.6, "large": 1.3}
PRICE = {"small": 2_000, "medium": 21_000, "large": 95_000}
SPEED = {"small": 240.0, "medium": 620.0, "large": 1450.0}
LANGUAGES, TASKS = ("en", "ko", "de"), ("qa", "code", "summary", "maths", "extraction")


@dataclass(frozen=True)
class World:
    """What is asked, and how hard it is: the same for every target and every run of it."""

    prompts: tuple[str, ...]
    hardness: np.ndarray
    languages: np.ndarray
    tasks: np.ndarray
    luck: np.ndarray
    stems: tuple[str, ...]


def world(rows: int, seed: int = 1) -> World:
    """Prompts of 8 to 90 words; harder ones are a little longer."""
    rng = np.random.default_rng(seed)
    hardness = rng.normal(size=rows)
    lengths = np.clip(rng.lognormal(3.0, 0.5, rows) * np.exp(0.2 * hardness), 8, 90).astype(int)
    drawn = rng.integers(len(WORDS), size=int(lengths.sum()))
    ends = np.cumsum(lengths)
    prompts = tuple(
        " ".join(WORDS[i] for i in drawn[end - size : end]) for end, size in zip(ends, lengths, strict=True)
    )
    languages, tasks = rng.choice(LANGUAGES, rows, p=(0.5, 0.4, 0.1)), rng.choice(TASKS, rows)
    stems = tuple(f"q{index // 2 if index < rows // 5 else index}" for index in range(rows))
    return World(prompts, hardness, languages, tasks, rng.logistic(size=rows), stems)


def answers(of: World, target: str, route=None, worse_in=(), seed: int = 2) -> list[Item]:
    """A target's items.

    Args:
        of: what is asked.
        target: a tier's name, or that of a router.
        route: of a router: hardness, as it sees it -> tier.
        worse_in: languages in which it lost a fifth of its right answers.
        seed: of its noise.
    """
    rng = np.random.default_rng([seed, sum(map(ord, target))])
    seen = of.hardness + rng.normal(0, 0.6, len(of.prompts))
    tokens = np.array([len(prompt) // 4 for prompt in of.prompts])
    items = []
    for row, prompt in enumerate(of.prompts):
        tier = target if route is None else route(seen[row])
        hard = of.hardness[row]
        right = 2.2 * (ABILITY[tier] - hard) + of.luck[row] + rng.logistic(0, 0.5) > 0
        if of.languages[row] in worse_in and rng.random() < 0.2:
            right = False
        broken = rng.random() < 0.004
        expected = "small" if hard < -0.2 else "medium" if hard < 0.8 else "large"
        items.append(
            Item(
                target=target, id=f"row-{row:05d}", stem=of.stems[row],
                slices={"language": str(of.languages[row]), "task": str(of.tasks[row])},
                prompt=prompt, reference=prompt[::-1][:24],
                answer="" if broken else (prompt[::-1][:24] if right else prompt[: 10 + row % 150]),
                scores={} if broken else {"exact": float(right)}, quality=None if broken else float(right),
                error="the upstream did not answer" if broken else "",
                tier=tier, tier_expected=expected, model=f"demo-{tier}",
                tokens_in=int(tokens[row]), tokens_out=40,
                cost_nano=int(PRICE[tier] * (1 + tokens[row] / 60)), baseline_nano=int(PRICE["large"] * (1 + tokens[row] / 60)),
                latency_ms=round(float(SPEED[tier] * rng.lognormal(0, 0.35)), 1), reason="" if route is None else "tier-chosen",
                p_right={} if route is None else {t: chance(ABILITY[t], seen[row]) for t in TIERS},
            )
        )  # fmt: skip
    return items


def chance(ability: float, seen: float) -> float:
    """What a router that believes its own eyes would say."""
    return round(float(1 / (1 + np.exp(-1.6 * (ability - seen)))), 4)


def by_hardness(seen: float) -> str:
    """A router with two thresholds."""
    return "small" if seen < -0.3 else "medium" if seen < 0.7 else "large"


def header(run_id: str, targets, items, **more) -> Run:
    """The header that fits these items."""
    facts = {
        "suite": "routing", "suite_hash": "5f0c" * 16, "about": "Do prompts go to the smallest tier that answers them well?",
        "started": "2026-11-24T10:00:00Z", "ended": "2026-11-24T10:04:11Z", "command": "stillhouse eval routing",
        "commit": "abc1234", "machine": "x86_64, 2 CPUs, Python 3.11", "rows": len({item.id for item in items}),
        "scorers": ("exact",), "slices": ("language", "task"), "sees": 0.021, "calls": len(items),
        "errors": sum(bool(item.error) for item in items), "spent_nano": sum(item.cost_nano or 0 for item in items),
    }  # fmt: skip
    return Run(**{"id": run_id, "targets": tuple(targets), **facts, **more})


CHECKS = (
    Check(says="quality >= 0.6", target="gateway", verdict="pass", value=0.71, low=0.69, high=0.72, n=2500),
    Check(says="no worse than last by > 0.02", target="gateway", verdict="fail", value=-0.03, low=-0.04, high=-0.02,
          n=2490, why="worse by more than 2 points"),
    Check(says="quality >= 0.9 in language ko", target="gateway", verdict="error", why="38 answers are too few to tell"),
)  # fmt: skip


def write_pair(runs: Path, rows: int = 2500, *, ladder: bool = True, seed: int = 1) -> tuple[Path, Path]:
    """A run of a gateway (and of its three tiers), and the run before it: their folders."""
    asked = world(rows, seed)
    now = answers(asked, "gateway", by_hardness, worse_in=("ko",), seed=seed + 10)
    tiers = [item for tier in TIERS for item in answers(asked, tier)] if ladder else []
    before = answers(asked, "gateway", lambda seen: by_hardness(seen + 0.1), seed=seed + 20)
    old = header("20261123T100000Z-routing-aaaa", ["gateway"], before, verdict="pass")
    targets = ["gateway", *(TIERS if ladder else ())]
    new = header(
        "20261124T100000Z-routing-bbbb", targets, [*now, *tiers], verdict="fail", against=old.id, checks=CHECKS
    )
    return write_run(runs, new, [*now, *tiers]), write_run(runs, old, before)


def write_items(runs: Path, items, **more) -> Path:
    """A run of just these items."""
    targets = more.pop("targets", list(dict.fromkeys(item.target for item in items)))
    return write_run(runs, header("20261124T110000Z-routing-cccc", targets, items, **more), items)


def replaced(item: Item, **changes) -> Item:
    """An item with other values."""
    return msgspec.structs.replace(item, **changes)
