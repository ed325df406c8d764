"""The report in a real browser: axe-core finds nothing to object to, the console stays empty, and no script is needed.

Needs `chromium`, and axe-core from npm: `npm install --prefix build axe-core`.
"""

import json
import re
import shutil
import subprocess
from html import escape, unescape
from pathlib import Path

import pytest

from cellwright.report.html.page import render, sections
from tests.report.test_report import report
from tests.report.whole import NUM_TEST, NUM_TRIALS, whole_page

CHROMIUM = shutil.which("chromium")
AXE = Path(__file__).parents[2] / "build/node_modules/axe-core/axe.min.js"
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--enable-logging=stderr",
)
SCHEMES = {"dark": 0, "light": 1}
POLICY = re.compile(r"<meta http-equiv=\"Content-Security-Policy\".*?>")
ASK = """
<script>
addEventListener("load", async () => {
  const found = await axe.run(document);
  const asked = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  parent.document.body.dataset.found = JSON.stringify({
    scheme: asked, width: innerWidth, overflows: document.documentElement.scrollWidth > innerWidth,
    passes: found.passes.length, violations: found.violations.map(v => [v.id, v.help, v.nodes.map(n => n.html)]),
  });
});
</script>
"""

MEASURE = """
<script>
addEventListener("load", () => {
  const tables = [...document.querySelectorAll("#data .scroll, #reproduce .scroll:has(th:nth-child(2):last-child)")];
  const wide = tables.filter(table => table.scrollWidth > table.clientWidth);
  parent.document.body.dataset.found = `${tables.length - wide.length} fit, ${wide.length} scroll`;
});
</script>
"""

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    return whole_page(report(), tmp_path_factory.mktemp("data"))


def opened(page: str, folder: Path, *options: str) -> tuple[str, str]:
    """Return the document that the browser makes of a page, and what its console says."""
    (folder / "page.html").write_text(page, encoding="utf-8")
    done = subprocess.run(
        [CHROMIUM, *OPTIONS, f"--user-data-dir={folder}/profile", *options]
        + [(folder / "page.html").as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    console = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
    return done.stdout, "\n".join(console)


@needs_chromium
@pytest.mark.skipif(not AXE.exists(), reason="needs `npm install --prefix build axe-core`")
@pytest.mark.parametrize(
    ("width", "scheme"), [(1400, "light"), (1400, "dark"), (400, "light"), (400, "dark")]
)
def test_axe_finds_no_violation(page: str, tmp_path: Path, width: int, scheme: str):
    """The page is in a frame, since a window is at least 500 pixels wide."""
    script = f"<script>{AXE.read_text(encoding='utf-8')}</script>{ASK}</body>"
    inner = escape(POLICY.sub("", page).replace("</body>", script))
    document, console = opened(
        f'<body><iframe srcdoc="{inner}" style="border: 0; width: {width}px; height: 2000px"></iframe></body>',
        tmp_path,
        "--window-size=1500,2100",
        f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}",
        "--virtual-time-budget=20000",
        "--dump-dom",
    )
    assert console == ""
    found = json.loads(unescape(re.search(r'data-found="(.*?)"', document)[1]))
    assert (found["scheme"], found["width"]) == (scheme, width)
    assert found["passes"] > 10
    assert found["violations"] == []
    assert not found["overflows"]


@needs_chromium
def test_tables_of_names_and_values_fit_a_phone(tmp_path: Path):
    """Also with a digest and long names."""
    run = report(content_hash="0" * 64, duplicates={"train_validation": 12345})
    page = POLICY.sub("", render(run, sections(run))).replace("</body>", MEASURE + "</body>")
    document, console = opened(
        f'<body><iframe srcdoc="{escape(page)}" style="border: 0; width: 400px; height: 2000px"></iframe></body>',
        tmp_path,
        "--dump-dom",
    )
    assert console == ""
    assert re.search(r'data-found="(.*?)"', document)[1] == "3 fit, 0 scroll"


@needs_chromium
def test_no_script_runs_all_is_there_and_the_console_is_empty(page: str, tmp_path: Path):
    """Its own policy forbids scripts, so it is what people without JavaScript see."""
    document, console = opened(page, tmp_path, "--dump-dom")
    assert console == ""
    assert document.count("<section") == page.count("<section") > 8
    hostile = page.replace("</body>", "<script>document.body.dataset.ran = 1</script></body>")
    document, console = opened(hostile, tmp_path, "--dump-dom")
    assert "data-ran" not in document and "Content Security Policy" in console


def test_two_hundred_trials_and_ten_thousand_test_images_are_a_small_page(page: str):
    assert f"{NUM_TRIALS} evaluations" in page and f"on {NUM_TEST} test examples" in page
    assert len(page.encode()) < 3_000_000
