"""What must be whole is not disturbed by Ctrl-C or SIGTERM, which come right after it."""

from __future__ import annotations

import signal
import threading

import pytest

from dynamo.engine.termination import terminable, undisturbed


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_comes_after_what_must_be_whole(number):
    """Once, and as before from then on."""
    before, done = signal.getsignal(number), []

    def whole():
        with undisturbed():
            signal.raise_signal(number)
            signal.raise_signal(number)
            done.append("whole")

    with terminable():
        with pytest.raises(KeyboardInterrupt):
            whole()
        assert done == ["whole"]
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
    assert signal.getsignal(number) is before


def test_without_a_signal_nothing_comes():
    """Handlers are those that were there; other threads, which get no signals, go on without them."""
    before, done = signal.getsignal(signal.SIGINT), []

    def elsewhere():
        with terminable(), undisturbed():
            done.append("elsewhere")

    with undisturbed():
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
    assert done == ["elsewhere"]
    assert signal.getsignal(signal.SIGINT) is before
