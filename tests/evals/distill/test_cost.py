"""What curating costs is measured on rows made in another process, stage by stage."""

import pytest

from evals.distill.curate.cost import markdown, measure, projected, rows


def test_the_same_rows_are_made_twice_and_hold_what_they_should():
    made = [next(rows(1)), *rows(300)]
    assert made[0] == made[1]
    texts = [one.messages[1].content for one in made]
    assert sum("@example.com" in text for text in texts) > 0
    assert sum("Please be so kind." in text for text in texts) > 0
    assert 0.05 < sum(one.failure is not None for one in made) / len(made) < 0.2


def test_a_measurement_tells_time_and_memory_and_the_page_says_both(tmp_path):
    made = measure(300, tmp_path)
    assert made["manifest"]["rows"]["read"] == 300
    assert set(made["cpu_s"]) == {"cleaning", "comparing", "choosing", "writing"}
    assert made["peak_mib"]["parent"] > 10
    spent = made["cpu_s"]
    assert projected(made, n=300, cores=1) == pytest.approx(sum(spent.values()), abs=0.1)
    more = projected(made, n=3_000, cores=2) - projected(made, n=300, cores=1)
    assert more == pytest.approx(4 * spent["cleaning"] + 9 * spent["comparing"], abs=0.2)  # ten times, by two
    made |= {"projected_wall_s": 1.0, "of": {"machine": "m", "date": "d", "commit": "c", "command": "x"}}
    assert "300 made rows" in markdown(made)
