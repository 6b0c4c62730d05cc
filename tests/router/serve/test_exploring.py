"""Exploration through the gateway: what the ledger keeps suffices to replay every draw."""

import asyncio
import sqlite3

from router.core.explore import key_id, lot_of
from router.registry.salt import explore_salt

EXPLORING = "stillhouse: 1\nname: exploring\nquality: {keep: 0.9}\nexplore: {epsilon: 0.5, band: 0.5}\n"


async def records(gw):
    await asyncio.to_thread(gw.cell.ledger.flush)
    with sqlite3.connect(gw.cell.ledger.place) as db:
        rows = db.execute("select id, policy_hash, draw, draw_key, propensity, reasons from requests").fetchall()
    db.close()
    return rows


async def test_every_draw_in_the_ledger_can_be_replayed_with_the_kept_salt(serve, home):
    gw = await serve(EXPLORING)
    for _ in range(12):
        assert (await gw.chat("How many primes are below twenty?")).status_code == 200
    salt = explore_salt(home)
    rows = await records(gw)
    assert len(rows) == 12
    for request_id, policy_hash, value, key, propensity, reasons in rows:
        assert (value, key) == (lot_of(salt, policy_hash, request_id).value, key_id(salt))
        assert ('"explored"' in reasons) == (value < 0.5)
        assert 0 < propensity < 1


async def test_without_exploring_no_salt_is_made_and_the_propensity_is_one(serve, home):
    gw = await serve()
    await gw.chat("hi")
    assert not (home / "explore.salt").exists()
    assert [(row[2], row[3], row[4]) for row in await records(gw)] == [(None, None, 1.0)]


async def test_a_policy_that_begins_to_explore_needs_a_salt_it_can_keep(serve, home):
    gw = await serve("stillhouse: 1\nname: exploring\nquality: {keep: 0.9}\n")
    (home / "explore.salt").write_bytes(b"damaged")
    (home / "policy0.yaml").write_text(EXPLORING)
    gw.cell.reload()
    await gw.chat("hi")
    (home / "explore.salt").unlink()
    (home / "policy0.yaml").write_text(EXPLORING + "description: again\n")
    gw.cell.reload()
    await gw.chat("hi")
    assert [row[2] is None for row in await records(gw)] == [True, False]
