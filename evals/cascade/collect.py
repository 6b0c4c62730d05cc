"""Ask real models the short questions, once greedily and a few times at random, and keep what came back.

``python -m evals.cascade.collect --data DIR --raw FILE`` asks the weights that ``stillhouse models`` lists
for the three tiers. Answers go to ``--raw``, a working file that stays outside the project; a run that
was cut short goes on where it stopped. ``python -m evals.cascade --raw FILE`` turns it into numbers.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from evals.cascade.outcomes import SAMPLES
from evals.cascade.questions import SEED, Question, questions
from router.registry.weights import load_weights
from router.types import TIER_NAMES, TierName
from router.upstream.base import Deadline
from router.upstream.local import LocalLimits, LocalModel, LocalUpstream

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

IMPORTED: Final = {
    "zeroeval-mmlu-redux": 60,
    "gsm-openai-6b-175b": 15,
    "reasoning-gym-easy": 30,
    "llmrouter-uiuc": 20,
}
TEMPERATURE: Final = 0.7
Call = tuple[Question, TierName, int]
BLOCK: Final = 8
SLOTS: Final = 4
_PATIENCE: Final = Deadline(first_byte=600, gap=600, total=600)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m evals.cascade.collect", description=str(__doc__).split("\n")[0])
    parser.add_argument("--data", type=Path, help="folder of outcome rows; without it only our own questions")
    parser.add_argument("--raw", type=Path, required=True, help="file of answers, appended to")
    parser.add_argument("--tiers", nargs="+", choices=TIER_NAMES, default=TIER_NAMES, help="by default all three")
    parser.add_argument("--part", type=int, nargs=2, default=(0, 1), metavar=("I", "N"), help="every Nth question")
    parser.add_argument("--backwards", action="store_true", help="begin at the end: a second process that helps")
    options = parser.parse_args(argv)
    mine = questions(options.data, IMPORTED)[options.part[0] :: options.part[1]]
    asyncio.run(collect(mine[::-1] if options.backwards else mine, options.raw, options.tiers))
    return 0


def models(tiers: Sequence[TierName]) -> dict[TierName, LocalUpstream]:
    """The registered weights of ``tiers`` behind the embedded engine, one thread each."""
    limits = LocalLimits(threads=1, slots=SLOTS, queue=64, prompt_cache=True)  # side by side costs little more than one
    return {
        w.tier: LocalUpstream(
            w.name,
            LocalModel(path=Path(w.path), model=w.name, fingerprint=w.fingerprint, context=1024,
                       memory_bytes=w.memory_bytes),
            limits,
        )
        for w in load_weights()
        if w.tier in tiers
    }  # fmt: skip


async def collect(asked: Sequence[Question], raw: Path, tiers: Sequence[TierName]) -> None:
    """Ask each of ``tiers`` every question that ``raw`` does not hold yet."""
    done = {(row["question"], row["tier"], row["sample"]) for row in read_raw(raw)}
    upstreams = models(tiers)
    began = time.monotonic()
    try:
        with raw.open("a", encoding="utf-8") as out:
            for number, calls in enumerate(_batches(asked, tiers), start=1):
                missing = [call for call in calls if (call[0].hash, *call[1:]) not in done]
                for asking in asyncio.as_completed([_ask(upstreams[call[1]], *call) for call in missing]):
                    out.write(json.dumps(await asking, ensure_ascii=False) + "\n")
                out.flush()
                print(f"batch {number}, {time.monotonic() - began:.0f} s", flush=True)
    finally:
        for upstream in upstreams.values():
            await upstream.close()


def _batches(asked: Sequence[Question], tiers: Sequence[TierName]) -> Iterator[list[Call]]:
    """Calls to one model at a time, a block of like questions after another, whose prompts begin alike.

    The kinds take turns and all greedy answers come first, so that a cut-short run leaves a whole.
    """
    kinds: dict[tuple[str, str], list[Question]] = {}
    for question in asked:
        kinds.setdefault((question.task, question.language), []).append(question)
    blocks = [
        (at / len(group), group[at : at + BLOCK]) for group in kinds.values() for at in range(0, len(group), BLOCK)
    ]
    for samples in (0, *range(1, max(SAMPLES.values()) + 1)):
        for _, block in sorted(blocks, key=lambda pair: pair[0]):
            for tier in tiers:
                if samples <= SAMPLES[tier]:
                    yield [(question, tier, samples) for question in block]


async def _ask(upstream: LocalUpstream, question: Question, tier: TierName, sample: int) -> dict[str, Any]:
    body: dict[str, Any] = {
        "model": tier,
        "messages": [{"role": "user", "content": question.prompt}],
        "max_tokens": question.max_tokens,
        "logprobs": True,
        "temperature": 0,
    }
    if sample:
        body |= {"temperature": TEMPERATURE, "seed": SEED + sample}
    reply = await upstream.chat(json.dumps(body).encode(), _PATIENCE)
    return {"question": question.hash, "tier": tier, "sample": sample, "answer": json.loads(reply.body)}


def read_raw(path: Path) -> list[dict[str, Any]]:
    """Rows of a working file; a last line that was cut short is passed over."""
    rows: list[dict[str, Any]] = []
    if path.exists():
        for line in path.read_text(encoding="utf-8").split("\n"):
            try:
                rows.append(json.loads(line))
            except ValueError:
                continue
    return rows


if __name__ == "__main__":
    raise SystemExit(main())
