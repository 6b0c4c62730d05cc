"""Another scorer in a running gateway: taken up whole, refused whole, and rolled back."""

import asyncio
import shutil

import pytest

from evals import adapt
from evals.importers.outcomes import read_outcomes
from router.registry import scorers
from router.score import artefact
from tests.support.own import own_rows, write_rows

HARD = "Work out the torque of shaft 7"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """An artefact that knows the family ``ours``."""
    folder = tmp_path_factory.mktemp("trained")
    rows = read_outcomes(write_rows(folder / "rows.jsonl", own_rows()))
    start = artefact.load(artefact.SHIPPED)
    material = adapt.material_of_rows(start, "ours", rows, {})
    found = adapt.adapted(start, "ours", material, adapt.rival_of(start, start, "ours", material), {})
    adapt.write(folder / "artefact", found)
    return folder / "artefact"


def policy(family, name="live"):
    return f"stillhouse: 1\nname: {name}\nfamily: {family}\nquality: {{keep: 0.9}}\n"


def keep(home, folder):
    digest = artefact.load(folder).digest
    scorers.keep(home, folder, digest)
    return digest


async def reloads(gw):
    lines = (await gw.http.get("/metrics")).text.splitlines()
    return {line.split('"')[1]: int(line.split()[-1]) for line in lines if line.startswith("stillhouse_reloads_total{")}


async def test_a_chosen_scorer_serves_within_a_second_and_rolls_back(serve, home, trained):
    gw = await serve()
    before = await gw.record(await gw.chat(HARD))
    digest = keep(home, trained)
    scorers.use(home, digest)
    await asyncio.sleep(1.2)
    assert (await gw.record(await gw.chat(HARD)))["artefact_hash"] == digest
    scorers.roll_back(home)
    await asyncio.sleep(1.2)
    after = await gw.record(await gw.chat(HARD))
    assert after["artefact_hash"] == before["artefact_hash"]
    assert after["complexity"] == before["complexity"]


async def test_a_policy_may_name_a_family_that_only_the_new_scorer_knows(serve, home, trained):
    gw = await serve(policy("generic"))
    path = home / "policy0.yaml"
    path.write_text(policy("ours"))
    gw.cell.reload()
    assert gw.cell.policies["live"].body.family == "generic"
    scorers.use(home, keep(home, trained))
    gw.cell.reload()
    assert gw.cell.policies["live"].body.family == "ours"
    record = await gw.record(await gw.chat(HARD))
    assert record["family"] == "ours"
    assert record["tier_served"] == "large"


async def test_a_scorer_without_a_family_that_a_policy_names_is_refused_until_none_does(serve, home, trained, caplog):
    scorers.use(home, keep(home, trained))
    gw = await serve(policy("ours"))
    scorers.use(home, "shipped")
    gw.cell.reload()
    assert "ours" in gw.cell.families()
    assert "'live' names 'ours'" in caplog.text
    assert (await reloads(gw))["refused"] == 1
    (home / "policy0.yaml").write_text(policy("generic"))
    gw.cell.reload()
    assert "ours" not in gw.cell.families()
    assert gw.cell.policies["live"].body.family == "generic"


@pytest.mark.parametrize("harm", ["digest", "version", "cut", "gone", "pointer"])
async def test_a_bad_artefact_keeps_the_running_one_and_says_so(serve, home, trained, caplog, harm):
    gw = await serve()
    running = gw.cell.scorer.digest
    digest = keep(home, trained)
    folder = scorers.folder(home) / digest
    manifest = folder / "manifest.json"
    if harm == "digest":
        manifest.write_text(manifest.read_text().replace('"rows": 120', '"rows": 121'))
    elif harm == "version":
        manifest.write_text(manifest.read_text().replace('"format": ', '"format": 9'))
    elif harm == "cut":
        (folder / "weights.npz").write_bytes((folder / "weights.npz").read_bytes()[:1000])
    scorers.use(home, digest)
    if harm == "gone":
        shutil.rmtree(folder)
    elif harm == "pointer":
        scorers.pointer(home).write_text("{")
    gw.cell.reload()
    assert gw.cell.scorer.digest == running
    assert "the running one stays" in caplog.text
    assert (await reloads(gw))["refused"] == 1
    assert (await gw.chat(HARD)).status_code == 200


async def test_another_artefact_under_a_kept_digest_is_refused(serve, home, trained, caplog):
    gw = await serve()
    scorers.keep(home, trained, "a" * 64)
    scorers.use(home, "a" * 64)
    gw.cell.reload()
    assert "not what its folder's name says" in caplog.text


async def test_settings_may_name_a_folder_whose_edits_are_taken_up(serve, home, trained):
    folder = home / "scorer"
    shutil.copytree(artefact.SHIPPED, folder)
    gw = await serve(change=lambda settings: settings.model_copy(update={"scorer": str(folder)}))
    scorers.use(home, keep(home, trained))
    gw.cell.reload()
    assert "ours" not in gw.cell.families()
    shutil.rmtree(folder)
    shutil.copytree(trained, folder)
    gw.cell.reload()
    assert "ours" in gw.cell.families()


async def test_a_gateway_starts_with_the_shipped_scorer_where_the_chosen_one_is_damaged(serve, home, trained, caplog):
    digest = keep(home, trained)
    scorers.use(home, digest)
    (scorers.folder(home) / digest / "weights.npz").write_bytes(b"")
    gw = await serve()
    assert gw.cell.scorer.digest == artefact.load(artefact.SHIPPED).digest
    assert "The shipped one serves instead" in caplog.text


async def test_requests_in_flight_while_scorers_change_all_get_answers(serve, home, trained):
    gw = await serve()
    digest = keep(home, trained)
    answers = [asyncio.create_task(gw.chat(HARD)) for _ in range(10)]
    for name in (digest, "shipped", digest):
        scorers.use(home, name)
        gw.cell.reload()
        answers += [asyncio.create_task(gw.chat(HARD)) for _ in range(5)]
    records = [await gw.record(answer) for answer in await asyncio.gather(*answers)]
    shipped = artefact.load(artefact.SHIPPED).digest
    assert {record["artefact_hash"] for record in records} <= {digest, shipped}
