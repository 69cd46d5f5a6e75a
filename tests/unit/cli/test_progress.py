"""The table of a run that is under way: what it counts, and what it shows."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from dynamo.cli.progress import Progress
from dynamo.engine import Event

HEAD = "step  tasks  done  reused  failed  running  mean  left\n"


@pytest.fixture
def progress(tmp_path: Path) -> Progress:
    """The progress of a run with one step `a` of four tasks, two at a time."""
    return Progress({"a": 4}, 2, tmp_path / "run.log")


def tell(progress: Progress, *said: str) -> None:
    """Tell events, each as ``kind task``, at a tick of their own; a task that is done took ten seconds."""
    for at, words in enumerate(said):
        kind, task = words.split()
        seconds = 10.0 if kind == "done" else 0.0
        progress(Event(kind, "run", task, task.rpartition("-")[0], float(at), f"why {task}", seconds))


def counted(progress: Progress, step: str = "a") -> tuple[int, int, int, int]:
    """Return how many tasks there are, were done, run, and wait or run."""
    line = progress.lines[step]
    return line.total, line.counts["done"], len(line.running), line.waiting


def test_tasks_start_and_end(progress):
    """Each task is counted once where it stands; what was reused or left out never ran."""
    tell(progress, "started a-0", "started a-1", "done a-0", "reused a-2", "left a-3")
    assert counted(progress) == (4, 1, 1, 1)
    assert progress.lines["a"].counts == {"done": 1, "reused": 1, "left": 1}


def test_a_blocked_task_of_a_fused_job_runs_no_more(progress):
    """All tasks of a job begin at once; those that its failure blocked are not told as running."""
    tell(progress, "started a-0", "started a-1", "started a-2", "failed a-0", "blocked a-1", "blocked a-2")
    assert counted(progress) == (4, 0, 0, 1)
    assert progress.text().splitlines()[1].split() == ["a", "4", "1", "(+2", "blocked)"]


def test_a_task_that_is_tried_again_is_counted_once(progress):
    """After a lost worker the task waits; the others of its job start again and still count once."""
    tell(progress, "started a-0", "started a-1", "retried a-0")
    assert counted(progress) == (4, 0, 1, 4)
    tell(progress, "started a-0", "started a-1", "done a-0", "done a-1")
    assert counted(progress) == (4, 2, 0, 2)


def test_a_run_time_workflow_that_cannot_be_run_moves_from_done_to_failed(progress):
    """It was done, and what it described cannot run: it has failed, and counts for no mean."""
    tell(progress, "started a-0", "started a-1", "done a-0", "failed a-0")
    assert counted(progress) == (4, 0, 1, 3)
    assert progress.lines["a"].counts["failed"] == 1
    assert progress.lines["a"].mean == 0.0


def test_a_step_that_a_run_time_workflow_added(progress):
    """Its tasks are counted as they come, once each, also where nobody started them."""
    tell(progress, "added a-0", "started a/b-0", "started a/b-1", "done a/b-0", "reused a/b-2")
    assert counted(progress, "a/b") == (3, 1, 1, 1)
    tell(progress, "retried a/b-1", "started a/b-1", "done a/b-1")
    assert counted(progress, "a/b") == (3, 2, 0, 0)
    assert counted(progress) == (4, 0, 0, 4)


def test_the_table_as_text(progress):
    """The time left is that of the tasks that wait or run, by the mean so far, on the cores there are."""
    assert progress.text() == HEAD + "a         4\n"
    tell(progress, "started a-0", "started a-1", "done a-0")
    assert progress.text() == HEAD + "a         4     1                        1  10 s  15 s\n"
    tell(progress, "done a-1", "reused a-2", "left a-3")
    assert progress.text() == HEAD + "a         4     2       1                   10 s\n"


@pytest.mark.parametrize(
    ("said", "style"),
    [
        ([], "dim"),
        (["started a-0"], "cyan"),
        ([f"done a-{n}" for n in range(4)], "green"),
        (["started a-0", "failed a-0"], "red"),
    ],
)
def test_the_table_on_a_terminal(progress, said, style):
    """A line has the cells of the text and the colour of how its step stands."""
    tell(progress, *said)
    table = progress.table()
    assert [column.header for column in table.columns] == HEAD.split()
    assert tuple(next(iter(column.cells)) for column in table.columns) == progress.lines["a"].cells(2)
    assert [row.style for row in table.rows] == [style]


def test_the_log_of_a_run_ends_with_the_table(progress, tmp_path):
    """Failures, retries and warnings are written as they happen, the table at the end, also after Ctrl-C."""

    def body():
        with progress.shown(quiet=True):
            tell(
                progress,
                "started a-0",
                "retried a-0",
                "warned a-0",
                "started a-0",
                "failed a-0",
                "blocked a-1",
            )
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        body()
    told = "retried: a-0: why a-0\nwarned: a-0: why a-0\nfailed: a-0: why a-0\n"
    assert (tmp_path / "run.log").read_text() == told + progress.text()


def test_the_log_has_a_table_from_time_to_time(progress, tmp_path, monkeypatch):
    """A run that nobody watches can be followed in its log."""
    monkeypatch.setattr("dynamo.cli.progress.PERIOD", -1.0)
    tell(progress, "started a-0")
    assert (tmp_path / "run.log").read_text() == progress.text()


def test_a_log_that_cannot_be_written_stops_no_run(tmp_path):
    """The folder of the log may be gone, or the disk full."""
    progress = Progress({"a": 1}, 1, tmp_path / "gone" / "run.log")
    with progress.shown(quiet=True):
        tell(progress, "started a-0", "failed a-0")
    assert progress.lines["a"].counts["failed"] == 1


def test_what_is_told_of_the_run_is_printed_and_logged_as_it_comes(progress, tmp_path, capsys):
    """Where no terminal shows it below the table; it counts for no step."""
    with progress.shown(quiet=False):
        progress(Event("told", "run", "", "", 0.0, "cluster 7 of ap: 2 jobs wait for a slot"))
        assert capsys.readouterr().err == "cluster 7 of ap: 2 jobs wait for a slot\n"
    assert "cluster 7 of ap: 2 jobs wait for a slot\n" in (tmp_path / "run.log").read_text()
    assert list(progress.lines) == ["a"]
    with progress.shown(quiet=True):
        progress(Event("told", "run", "", "", 0.0, "cluster 7 of ap"))
    assert capsys.readouterr().err == ""


def test_what_is_told_of_the_run_stands_below_the_table(progress):
    """Until something else is told."""
    progress(Event("told", "run", "", "", 0.0, "1 job held"))
    progress(Event("told", "run", "", "", 1.0, "cluster 7 of ap"))
    console = Console(width=80, file=io.StringIO())
    console.print(progress.shape())
    assert console.file.getvalue().splitlines()[-1].strip() == "cluster 7 of ap"
    assert "held" not in console.file.getvalue()
