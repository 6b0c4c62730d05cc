"""The stage of the faults works, and one of them in full: SIGTERM, for every release sends one."""

import asyncio

from evals.faults.__main__ import page
from evals.faults.claims import least, most
from evals.faults.scenarios import SCENARIOS, drain


def test_open_streams_survive_sigterm_and_are_all_on_record(tmp_path):
    claims = asyncio.run(drain(tmp_path / "stage"))
    assert len(claims) == 2
    assert all(claim.kept for claim in claims), claims


def test_a_goal_that_was_not_kept_is_said_in_bold():
    kept, missed = most("seconds", 1.0, 2.0), least("share", 0.5, 0.9)
    assert (kept.kept, missed.kept) == (True, False)
    text = page({"black hole": [kept, missed]}, "0.1")
    assert text.count("**not kept**") == 1
    assert "| black hole | share | 0.5 | ≥ 0.9 | **not kept** |" in text


def test_every_fault_has_a_name_of_its_own():
    assert len(SCENARIOS) == len(set(SCENARIOS)) >= 15
