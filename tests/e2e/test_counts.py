"""What a row costs does not grow unnoticed: instructions and system calls beside those recorded in bench/counts.txt."""
import os
import shutil
import sys

import pytest
from conftest import NBATCH, ROOT

sys.path.insert(0, str(ROOT / "bench"))

import counts  # noqa: E402

BUILD = os.environ.get("NBATCH_COUNTS", "")  # set where the build is one whose figures are recorded


@pytest.mark.skipif(not BUILD, reason="no figures are recorded for this build")
def test_a_row_costs_no_more_than_is_recorded():
    missing = [tool for tool in counts.TOOLS if shutil.which(tool) is None]
    assert not missing
    figures = counts.measure(NBATCH)
    assert not counts.grown(figures, counts.read_recorded()[BUILD])


def test_growth_beyond_a_tenth_is_noticed():
    """Negative control."""
    recorded = {"instructions": 100000.0, "system calls": 4.0}
    assert not counts.grown({"instructions": 110000, "system calls": 4.4}, recorded)
    assert counts.grown({"instructions": 110001, "system calls": 4.0}, recorded) == [
        "110001 instructions a row, recorded are 100000: if that is meant, bench/counts.sh --record"]
    assert len(counts.grown({"instructions": 200000, "system calls": 4.41}, recorded)) == 2


def test_both_builds_are_recorded():
    recorded = counts.read_recorded()
    assert {build: set(figures) for build, figures in recorded.items()} == {
        build: set(counts.MEASURES) for build in ("release", "test")}
