"""Draws docs/report.png, the README's picture, with Chromium: `python docs/picture.py runs/race/report.html`."""

import subprocess
import sys
import tempfile
from pathlib import Path

page, picture = Path(sys.argv[1]).resolve(), Path(__file__).with_name("report.png")
with tempfile.TemporaryDirectory() as profile:
    options = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--hide-scrollbars",
    ]
    size = ["--window-size=1100,1010", f"--user-data-dir={profile}"]
    subprocess.run(["chromium", *options, *size, f"--screenshot={picture}", page.as_uri()], check=True)
