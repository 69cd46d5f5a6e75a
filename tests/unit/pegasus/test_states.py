"""Lines of jobstate.log, as pegasus-monitord writes them."""

from __future__ import annotations

import pytest

from dynamo.pegasus.states import Told, read_states, task_of

LOG = """\
1457574960 INTERNAL *** MONITORD_STARTED ***
1457574960 INTERNAL *** DAGMAN_STARTED 1251.0 ***
1457574968 create_dir_chain_0_local SUBMIT 1252.0 local - 1
1457574970 dynamo-worker_split SUBMIT 1253.0 condorpool 3600 2
1457574981 dynamo-worker_split EXECUTE 1253.0 condorpool 3600 2
1457574983 dynamo-worker_split JOB_HELD_REASON - - - 2
1457574990 dynamo-worker_split JOB_TERMINATED 1253.0 condorpool 3600 2
1457574990 dynamo-worker_split JOB_FAILURE 3 condorpool 3600 2
1457574990 dynamo-worker_split POST_SCRIPT_STARTED 1253.0 condorpool 3600 2
1457574995 dynamo-worker_split POST_SCRIPT_FAILURE 1 condorpool 3600 2
1457574999 INTERNAL *** DAGMAN_FINISHED 1 ***
"""


def test_lines_become_records():
    """Of jobs and of the workflow; a number where the line has one, not where it has an id of HTCondor."""
    found, length = read_states(LOG)
    assert length == len(LOG)
    assert found[1] == Told(1457574960, "", "DAGMAN_STARTED")
    assert found[4] == Told(1457574981, "dynamo-worker_split", "EXECUTE", None, "condorpool")
    assert found[7] == Told(1457574990, "dynamo-worker_split", "JOB_FAILURE", 3, "condorpool")
    assert found[-1] == Told(1457574999, "", "DAGMAN_FINISHED", 1)


def test_half_a_line_is_left_for_the_next_look():
    """Monitord may be writing it."""
    found, length = read_states(LOG[:-10])
    assert found[-1].state == "POST_SCRIPT_FAILURE"
    assert LOG[length:].startswith("1457574999 INTERNAL")


@pytest.mark.parametrize("line", ["", "what is this", "12 x", "INTERNAL *** DAGMAN_FINISHED 0 ***"])
def test_a_line_of_another_form_is_passed_over(line):
    """A later Pegasus may write more."""
    assert read_states(f"{line}\n{LOG}")[0] == read_states(LOG)[0]


def test_jobs_that_pegasus_adds_are_no_tasks():
    """Names are a program and an id; of those that fit, the longer id."""
    tasks = {"split": "split", "plot_a": "plot/a", "a": "a", "local_0": "other"}
    assert task_of("dynamo-worker_split", tasks) == "split"
    assert task_of("dynamo-worker_plot_a", tasks) == "plot/a"
    assert task_of("my_tool_a", tasks) == "a"
    assert task_of("merge_dynamo-worker_PID1_ID1", tasks) is None
