"""An engine that serves: runs come while others are under way, one that cannot begin stops no other."""

from __future__ import annotations

import socket
import threading
from collections import deque

import pytest

from dynamo.engine.source import Given
from dynamo.errors import UserError

FLOW = """
@task
def wait(out: Output, *, until: str):
    note('waits')
    while not os.path.exists(until):
        time.sleep(0.01)
    Path(out).write_text('waited')

@workflow
def slow(until: str):
    wait(out='slow.txt', until=until)

@workflow
def flow(text: str = 'made'):
    make(out=f'{text}.txt', text=text)

@task(cores=64)
def huge(out: Output):
    pass

@workflow
def never():
    huge(out='huge.txt')
"""


class Calls:
    """A source that gives what is put in, when it is put in."""

    outlasts = False

    def __init__(self, *first):
        self.ours, self.theirs = socket.socketpair()
        self.waiting = deque(first)
        self.log = []
        self.over = False
        self.when_ended = lambda summary: None

    def fileno(self):
        return self.ours.fileno()

    def put(self, *requests):
        self.waiting.extend(requests)
        self.theirs.send(b"!")

    def take(self, running):
        if self.theirs and self.ours in _readable(self.ours):
            self.ours.recv(64)
        wanted = [self.waiting.popleft() for _ in range(len(self.waiting))]
        return wanted if wanted or running or not self.over else None

    def ended(self, summary):
        self.log.append((summary.run, summary.ok))
        self.when_ended(summary)

    def refused(self, request, error):
        self.log.append((request.run, error.message))

    def waits(self, error):
        self.log.append(("waits", error))


def _readable(*sockets):
    import select

    return select.select(sockets, [], [], 0)[0]


@pytest.fixture
def calls():
    made = Calls()
    yield made
    made.ours.close()
    made.theirs.close()


def test_a_run_that_comes_later_does_not_wait_for_one_under_way(lab, calls):
    """The second run begins and ends while the first waits for what only its end brings about."""
    lab.write(FLOW)
    until = str(lab.root / "until")
    calls.put(lab.request(lab.graph(until, name="slow"), run="slow"))
    late = lab.request(lab.graph(), run="late")

    def next_step(summary):
        if summary.run == "late":
            open(until, "w").close()
            calls.over = True

    calls.when_ended = next_step
    with lab.engine(cores=2) as engine:
        engine.observer = lambda event: (
            calls.put(late) if (event.run, event.kind) == ("slow", "started") else None
        )
        engine.serve(calls)
    assert calls.log == [("late", True), ("slow", True)]


def test_an_idle_engine_is_woken_by_its_source(lab, calls):
    """A request put in by another thread, while nothing runs, is run."""
    lab.write(FLOW)
    graph, asked = lab.graph(), threading.Event()
    take = calls.take

    def first_nothing(running):
        asked.set()
        return take(running)

    calls.take = first_nothing

    def feed():
        asked.wait()
        calls.put(lab.request(graph, run="woken"))

    def stop(summary):
        calls.over = True

    calls.when_ended = stop
    thread = threading.Thread(target=feed)
    thread.start()
    with lab.engine() as engine:
        engine.serve(calls)
    thread.join()
    assert calls.log == [("woken", True)]


def test_a_run_that_cannot_begin_stops_no_other(lab, calls):
    """What asks for more than there is goes back to the source, with the reason; the next run is run."""
    lab.write(FLOW)
    calls.put(lab.request(lab.graph(name="never"), run="never"), lab.request(lab.graph(), run="good"))
    calls.over = True
    with lab.engine() as engine:
        engine.serve(calls)
    assert [run for run, _ in calls.log] == ["never", "good"]
    assert "needs 64 cores" in calls.log[0][1]


def test_the_same_run_is_not_begun_twice(lab, calls):
    """A run that is under way is locked, against this very engine too."""
    lab.write(FLOW)
    until = str(lab.root / "until")
    calls.put(lab.request(lab.graph(until, name="slow"), run="slow"))
    again = lab.request(lab.graph(until, name="slow"), run="slow", resume=True)
    calls.over = True
    with lab.engine() as engine:
        engine.observer = lambda event: calls.put(again) if event.kind == "started" else None
        refused = calls.refused

        def then(request, error):
            refused(request, error)
            open(until, "w").close()

        calls.refused = then
        engine.serve(calls)
    assert [run for run, _ in calls.log] == ["slow", "slow"]
    assert "under way" in calls.log[0][1]
    assert calls.log[1][1] is True


def test_a_list_ends_with_its_last_run():
    """Given requests are taken once; there is no more when none is running."""
    given = Given([])
    assert given.take([]) is None
    given = Given(["one"])
    assert given.take([]) == ["one"]
    assert given.take(["one"]) == []
    assert given.take([]) is None
    with pytest.raises(UserError):
        given.refused("one", UserError("no"))
    assert given.fileno() == -1


def test_code_edited_while_a_worker_is_busy_is_the_code_that_runs(lab, calls):
    """A worker that has imported a module and still has a job when the next run begins is not given one of that run."""
    words, until = lab.root / "words.py", lab.root / "until"
    words.write_text("WORD = 'before'\n")
    lab.write("""
        @task
        def speak(out: Output, *, until: str = ''):
            import words
            note('imported')
            while until and not os.path.exists(until):
                time.sleep(0.01)
            Path(out).write_text(words.WORD)

        @workflow
        def flow(name: str, until: str = ''):
            speak(out=name, until=until)
    """)
    calls.put(lab.request(lab.graph("busy.txt", str(until)), run="busy"))
    calls.over, take = True, calls.take

    def step(running):
        if running == ["busy"] and "after" not in words.read_text() and lab.marks.exists():
            words.write_text("WORD = 'after'\n")
            calls.put(lab.request(lab.graph("new.txt"), run="new"))
        elif "new" in running:
            until.touch()
        return take(running)

    calls.take = step
    with lab.engine() as engine:
        engine.serve(calls)
    assert calls.log == [("busy", True), ("new", True)]
    assert lab.published() == {"busy.txt": "before", "new.txt": "after"}
