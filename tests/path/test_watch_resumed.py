"""A run that is gone on with by hand while the real `dynamo watch` begins."""

from __future__ import annotations

import subprocess
import sys


def test_a_run_that_is_resumed_by_hand_is_judged_when_it_is_over(watched, ears):
    """A watch that was killed is begun again meanwhile: it waits for the run, and does it not once more."""
    watched.start()
    gate = str(watched.gate())
    watched.show(0, 45, gate=gate)
    with open(gate, "w"):  # the task is there
        watched.kill()
    ((run,),) = watched.rows("SELECT id FROM runs")
    line = [sys.executable, "-c", "from dynamo.cli import main; main()", "resume", run]
    by_hand = subprocess.Popen(line, cwd=watched.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with by_hand, open(gate, "w"):  # its task is there
        watched.launch()
        watched.until("under way in another process")
        assert watched.windows() == ["running"]
    assert by_hand.returncode == 0
    assert ears.told() == ("new", 45)
    watched.until(f"{run}: 0 ran, 1 reused")
    watched.show(1, 50)
    assert ears.told() == ("updated", 50)
    assert watched.end() == 130
    assert watched.windows() == ["done"] * 2
    assert watched.marked() == ["begin 0", "begin 0", "end 0", "begin 1", "end 1"]
