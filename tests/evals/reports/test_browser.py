"""The page in a real Chromium: no error, no request, rows that filter, texts that stay texts."""

import pytest

from evals.reports import html
from tests.evals.reports.test_html import EVIL
from tests.support import chromium
from tests.support.runs import answers, by_hardness, replaced, world, write_items

pytestmark = pytest.mark.skipif(
    chromium.find() is None, reason="not run: no Chromium (set CHROMIUM, or run 'make clients' with Node)"
)
READY = "document.documentElement.dataset.ready === 'true'"
COUNT = "document.querySelector('.count').textContent"
FIRST = "document.querySelector('.body .row').textContent"


@pytest.fixture
async def tab(tmp_path):
    async with chromium.browser(tmp_path / "profile") as page:
        yield page


@pytest.fixture
def report(page, tmp_path):
    out = tmp_path / "report.html"
    out.write_text(page, "utf-8")
    return out


def search(words):
    return (
        f"(() => {{ const field = document.querySelector('input[type=search]'); field.value = {words!r};"
        f" field.dispatchEvent(new Event('input')); return {COUNT}; }})()"
    )


def pick(name, label):
    return (
        f"(() => {{ const select = document.querySelector('select[name=\"{name}\"]');"
        f" select.value = [...select.options].find((option) => option.text === {label!r}).value;"
        f" select.dispatchEvent(new Event('change')); return {COUNT}; }})()"
    )


async def opened(tab, report, **how):
    await tab.see(**how)
    await tab.open(report)
    await tab.until(READY)


async def test_ten_thousand_rows_filter_sort_and_open_by_keyboard(tab, report, record_property):
    await opened(tab, report)
    assert await tab.do(COUNT) == "10,000 of 10,000 rows"
    assert await tab.do("document.querySelectorAll('.body .row').length") < 40

    assert await tab.do(pick("target", "gateway")) == "2,500 of 10,000 rows"
    assert await tab.do(search("row-00042")) == "1 of 10,000 rows"
    assert "row-00042" in await tab.do(FIRST)
    assert await tab.do(search("no such words")) == "0 of 10,000 rows"
    assert "No row is like that" in await tab.do("document.querySelector('.body').textContent")
    assert await tab.do(search("서울")) != "0 of 10,000 rows"
    assert await tab.do(pick("outcome", "got worse")) != "0 of 10,000 rows"

    worse = await tab.do(search(""))
    await tab.do("[...document.querySelectorAll('.head button')].find((b) => b.textContent === 'cost').click()")
    assert await tab.do("document.querySelector('[aria-sort=descending]').textContent") == "cost ↓"
    costs = "[...document.querySelectorAll('.body .row')].map((row) => Number(row.children[5].textContent.slice(1)))"
    shown = await tab.do(costs)
    assert shown == sorted(shown, reverse=True)

    await tab.do("document.querySelector('.body').focus()")
    assert 0 < int(worse.split()[0]) < 2500
    for key in ("ArrowDown", "ArrowDown", "PageDown", "End"):
        await tab.press(key)
    place = await tab.do("document.querySelector('.body').getAttribute('aria-activedescendant')")
    assert place == f"row-{int(worse.split()[0]) - 1}"
    assert await tab.do(f"document.getElementById('{place}').getAttribute('aria-selected')") == "true"
    assert "row-" in await tab.do("document.querySelector('#detail dd').textContent")

    times = [await tab.do(f"{search(words)}; Number(document.querySelector('.count').dataset.milliseconds)")
             for words in ("a", "price garden", "row-00", "zzz", "서울", "")]  # fmt: skip
    record_property("filter_milliseconds", times)
    print(f"10,000 rows filtered and drawn in {max(times):.0f} ms at most")
    assert (tab.errors, tab.messages) == ([], [])
    assert tab.requests == [report.as_uri()]


async def test_rows_scroll_without_drawing_them_all(tab, report):
    await opened(tab, report)
    await tab.do("document.querySelector('.body').scrollTop = 200000")
    await tab.until("!!document.getElementById('row-5270')")
    assert await tab.do("document.querySelectorAll('.body .row').length") < 40


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("dark", [False, True])
async def test_the_page_fits_its_window_and_can_be_read(tab, report, width, dark):
    await opened(tab, report, width=width, dark=dark, still=True)
    assert await tab.do("document.documentElement.scrollWidth") <= width
    assert await tab.do(CONTRAST) == []
    assert await tab.do("getComputedStyle(document.documentElement).scrollBehavior") == "auto"
    assert tab.errors == []


#: Words whose contrast to the ground behind them is below 4.5:1 (WCAG 2.2, 1.4.3).
CONTRAST = """(() => {
  const parts = (colour) => (colour.match(/[0-9.]+/g) || []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255).map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (node) => {
    let over = [];
    for (; node; node = node.parentElement) {
      const [r, g, b, a = 1] = parts(getComputedStyle(node).backgroundColor);
      if (a > 0) over.push([r, g, b, a]);
      if (a === 1) break;
    }
    return over.reverse().reduce((under, [r, g, b, a]) => [r, g, b].map((c, i) => c * a + (under[i] ?? 0) * (1 - a)), []);
  };
  const low = new Set();
  for (const node of document.querySelectorAll("main *, .rows *, footer *")) {
    if (!node.checkVisibility() || ![...node.childNodes].some((c) => c.nodeType === 3 && c.data.trim())) continue;
    if (node.namespaceURI.endsWith("svg") || node.tagName === "OPTION") continue;
    const [a, b] = [light(parts(getComputedStyle(node).color)), light(ground(node))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) low.add(`${node.tagName}.${node.className}`);
  }
  return [...low];
})()"""


async def test_everything_can_be_reached_by_keyboard(tab, report):
    await opened(tab, report)
    reached = set()
    for _ in range(60):
        await tab.press("Tab")
        reached.add(await tab.do("(document.activeElement.className || document.activeElement.tagName).split(' ')[0]"))
    assert {"skip", "scroll", "SUMMARY", "INPUT", "SELECT", "BUTTON", "body"} <= reached


async def test_evil_texts_stay_texts(tab, tmp_path):
    items = answers(world(60), "gateway", by_hardness)
    items = [
        replaced(item, prompt=EVIL, answer=EVIL, model=EVIL, slices={"tag": EVIL}, quality=float(n % 2))
        for n, item in enumerate(items)
    ]
    before = write_items(tmp_path / "before", [replaced(item, quality=1.0) for item in items])
    report = tmp_path / "report.html"
    report.write_text(html.page(write_items(tmp_path / "now", items, suite=EVIL), before), "utf-8")
    await opened(tab, report)
    await tab.do("document.querySelector('.loss').open = true; document.querySelector('.body .row').click()")
    shown = EVIL.replace("\u2028", "⟨U+2028⟩").replace("\u202e", "⟨U+202E⟩")
    assert await tab.do("document.querySelector('#detail pre').textContent") == shown
    assert await tab.do("document.querySelector('.loss pre').textContent") == shown
    assert await tab.do("document.images.length") == 0
    assert (tab.errors, tab.messages) == ([], [])
    assert tab.requests == [report.as_uri()]


async def test_a_script_that_is_not_the_page_s_own_is_refused(tab, report):
    await opened(tab, report)
    ran = await tab.do(
        "(() => { const script = document.createElement('script'); script.textContent = 'window.ran = true';"
        " document.body.append(script); return window.ran === true; })()"
    )
    assert ran is False
    assert any("Content Security Policy" in error.get("text", "") for error in tab.errors)


async def test_the_page_reads_well_without_scripts(tab, report):
    await tab.call("Emulation.setScriptExecutionDisabled", value=True)
    await tab.open(report)
    await tab.call("Emulation.setScriptExecutionDisabled", value=False)
    assert "Failed" in await tab.do("document.querySelector('.stamp').textContent")
    assert await tab.do("document.querySelectorAll('svg').length") > 5
    assert tab.errors == []
