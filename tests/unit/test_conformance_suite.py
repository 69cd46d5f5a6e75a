"""The conformance suite of engines finds what an engine does wrong."""

from __future__ import annotations

import subprocess
import sys

import pytest

from dynamo.journal import Journal
from dynamo.testing import Bench, Ended, check_lost_worker, check_products, check_reuse


def _dynamo(folder, arguments):
    done = subprocess.run(
        [sys.executable, "-m", "dynamo.cli", *arguments],
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
    )
    return Ended(done.returncode, done.stdout + done.stderr)


def test_a_product_that_is_cut_off_is_found(tmp_path):
    """An engine that publishes before a file is whole does not pass."""

    def cuts(folder, arguments):
        ended = _dynamo(folder, arguments)
        product = folder / "products" / "diamond" / "bottom.txt"
        product.unlink()
        product.write_text("src;top;left;|src")
        return ended

    with pytest.raises(AssertionError, match=r"'diamond/bottom.txt' holds 'src;top;left;\|src', not"):
        check_products(Bench(tmp_path, "local", cuts))


def test_what_is_run_twice_is_found(tmp_path):
    """An engine that knows no reuse does not pass."""

    def forgets(folder, arguments):
        return _dynamo(folder, [*arguments, *(["--force"] if arguments[0] == "run" else [])])

    with pytest.raises(AssertionError, match="nothing has changed, but"):
        check_reuse(Bench(tmp_path, "local", forgets))


def test_an_attempt_that_is_not_counted_is_found(tmp_path):
    """An engine that says nothing of a worker that it lost does not pass."""

    def hides(folder, arguments):
        ended = _dynamo(folder, arguments)
        with Journal(folder / ".dynamo" / "journal.db") as journal, journal.change():
            journal._db.execute("DELETE FROM attempts WHERE task = 'dies' AND n > 1")
        return ended

    with pytest.raises(AssertionError, match=r"dies: .*attempts=\('lost',\)"):
        check_lost_worker(Bench(tmp_path, "local", hides))
