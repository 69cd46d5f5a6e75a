"""The map of a run in a real browser: headless Chromium draws it, and nothing in the page goes wrong."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from dynamo.report.map import render

HOSTILE = "</script><img src=x onerror=alert(1)>"
PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ"
    "AAAADUlEQVR4nGNgYGBgAAAABQABpfZFQAAAAABJRU5ErkJggg=="
)


def alert(name, kind, lon):
    return {
        "id": name, "kind": kind, "subscriber": name, "lon": lon, "lat": 33.0, "run": "run-1", "exercise": False,
        "sent": "2024-05-01T12:00:30Z", "onset": "2024-05-01T12:00:00Z", "ends": "2024-05-01T12:01:00Z",
        "headline": f"STORM near {name}",
    }  # fmt: skip


def page(alerts, people, **given):
    frames = [
        {
            "valid": f"2024-05-01T12:{lead:02d}:00Z", "lead": lead, "image": PIXEL, "bounds": [-98, 32, -96, 34],
            "bands": [{"level": 35, "rings": [[-970000, 330000, 5000, 0, 0, 5000, -5000, -5000]]}],
        }
        for lead in range(3)
    ]  # fmt: skip
    base = {"country": [], "state": [[[32, -98], [34, -96]]], "county": [[[32, -97], [34, -97]]]}
    return render(
        {
            "run": "run-1", "workflow": "nowcast", "step": 1e-4, "units": "dBZ", "frames": frames,
            "legend": PIXEL, "base": base, "people": people, "alerts": alerts,
        }
        | given
    )  # fmt: skip


def drawn(text, folder):
    """Return the page as the browser has it once its script ran; any error on its console fails."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert chromium, "this test needs a browser: apt-get install chromium"
    (folder / "map.html").write_text(text)
    done = subprocess.run(
        [
            chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            f"--user-data-dir={folder / 'profile'}", "--enable-logging=stderr", "--virtual-time-budget=3000",
            "--dump-dom", (folder / "map.html").as_uri(),
        ],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    assert "CONSOLE" not in done.stderr, done.stderr
    return re.sub(r"<script.*?</script>", "", done.stdout, flags=re.DOTALL)


def test_frames_alerts_and_subscribers_are_drawn(tmp_path):
    """A sign for each alerted place, a row for each alert, the image, the time; names stay text."""
    alerts = [
        alert("Denton", "updated", -97.1),
        alert("Denton", "new", -97.1),
        alert(HOSTILE, "cancelled", -96.5),
    ]
    dom = drawn(page(alerts, [{"id": "Argyle", "lon": -97.2, "lat": 33.1}]), tmp_path)
    assert 'data-ready="yes"' in dom
    assert len(re.findall(r'class="[^"]*leaflet-marker-icon', dom)) == 2
    assert len(re.findall("<li[^>]*><button", dom)) == 3
    assert "2024-05-01 12:00 UTC, now" in dom
    assert re.search(r'<img[^>]*class="[^"]*leaflet-image-layer', dom)
    assert "≥ 35 dBZ" in dom
    assert "<img src=x" not in dom
    assert "&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;" in dom


@pytest.mark.parametrize("people", [[], [{"id": "Argyle", "lon": -97.2, "lat": 33.1}]])
def test_a_map_without_alerts_says_so(tmp_path, people):
    """The frames are there all the same."""
    dom = drawn(page([], people), tmp_path)
    assert 'data-ready="yes"' in dom
    assert "Nobody was alerted." in dom


def test_classes_are_told_in_words(tmp_path):
    """As alerts tell them: nobody knows what 3.5 is."""
    given = {"units": "1", "classes": [[2.5, "graupel"], [3.5, "hail"], [4.5, "large hail"]]}
    text = page([], [], **given).replace('"level":35', '"level":4.5')
    dom = drawn(text, tmp_path)
    assert "</i>large hail</div>" in dom
    assert "≥" not in dom
    assert "3 lead times" in dom


def test_slider_player_and_rows_do_what_they_say(tmp_path):
    """The slider shows its frame and marks who is near, a row opens its place, playing goes on from there."""
    deed = """
    const time = document.getElementById("time"), now = document.getElementById("now"), seen = [];
    const near = () => document.querySelectorAll(".sign.near").length;
    const images = () => document.querySelectorAll(".frame").length;
    const note = () => seen.push(`${now.textContent}; ${near()} near; ${images()} image`);
    time.value = 2;
    time.dispatchEvent(new Event("input"));
    note();
    document.querySelector("#alerts button").click();
    note();
    seen.push(document.querySelector(".leaflet-popup-content").textContent);
    document.getElementById("play").click();
    setTimeout(() => {
      seen.push(document.getElementById("play").getAttribute("aria-label"));
      seen.push(now.textContent.endsWith("min"));
      document.body.append(Object.assign(document.createElement("pre"), { textContent: seen.join("|") }));
    }, 400);
    """
    text = page([alert("Denton", "new", -97.1)], [])
    free = re.sub(r"script-src [^\"]*", "script-src 'unsafe-inline'", text, count=1)
    dom = drawn(free.replace("</body>", f"<script>{deed}</script></body>"), tmp_path)
    (said,) = re.findall(r"<pre>(.*?)</pre>", dom)
    assert said.split("|") == [
        "2024-05-01 12:02 UTC, +2 min; 0 near; 1 image",
        "2024-05-01 12:00 UTC, now; 1 near; 1 image",
        "DentonSTORM near Dentontold 2024-05-01 12:00 UTC",
        "Pause",
        "true",
    ]
