"""``python -m evals.rollout``: false and right roll-backs on simulated days, with seeds, into evals/results."""

from __future__ import annotations

import argparse
from pathlib import Path

from evals.rollout.baselines import stops
from evals.rollout.days import play
from evals.rollout.report import of_days, of_stops, share, write
from evals.rollout.sessions import false_alarms
from evals.rollout.world import World
from evals.stamp import stamp
from router.core.rollout import Plan

OUT = Path(__file__).parents[1] / "results"
DROPS = (1, 2, 3, 5)
UPTO = 5_000


def main() -> None:
    """Play all scenarios."""
    parser = argparse.ArgumentParser(prog="python -m evals.rollout", description=__doc__)
    parser.add_argument("--days", type=int, default=500, help="seeded days of each drop")
    parser.add_argument("--same", type=int, default=2_000, help="seeded days without any drop")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=OUT)
    chosen = parser.parse_args()

    plan = Plan()
    worlds = {"the same policy": (World(), chosen.same)}
    worlds |= {f"{drop} point{'s' * (drop > 1)} less": (World(drop=drop / 100), chosen.days) for drop in DROPS}
    worlds |= {
        f"3 points less, of {quality:.0%}": (World(quality=quality, drop=0.03), chosen.days) for quality in (0.6, 0.9)
    }
    days = {}
    for name, (world, count) in worlds.items():
        days[name] = of_days(world, plan, play(world, plan, count, chosen.seed))
        print(name, days[name]["rolled_back"], days[name]["back_before"]["0.02"])
    alone = Plan(watches=plan.watches[:1])
    judged = {}
    for part in (1.0, 0.3, 0.1, 0.03):
        world = World(drop=0.03, judged=part)
        judged[f"{part:.0%}"] = of_days(world, alone, play(world, alone, chosen.days, chosen.seed))
    alpha = plan.watches[0].alpha
    ways = {
        name: of_stops(stops(World(drop=drop), plan.steps[0], alpha, 0.03, count, chosen.seed, UPTO))
        for name, drop, count in (("no drop", 0.0, chosen.same), ("3 points", 0.03, chosen.days))
    }
    alike = false_alarms(World().quality, alpha, UPTO, chosen.same, chosen.seed)
    sessions = {name: share(alarms) for name, alarms in alike.items()}
    command = f"python -m evals.rollout --days {chosen.days} --same {chosen.same} --seed {chosen.seed}"
    body = {"about": stamp(command), "days": days, "judged": judged, "ways": ways}
    body |= {"sessions": sessions, "alpha": alpha, "upto": UPTO}
    write(chosen.out, body)


if __name__ == "__main__":
    main()
