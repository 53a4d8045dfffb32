"""The status page in a browser: what it says, at the widths of a desk and of phones, light and dark, and by keyboard alone."""
import pytest

from harness.browser import BROWSER, Browser
from harness.clusters import PROBE, address
from harness.process import free_port, new_folder, remove_folder, wait_until
from harness.web import Web

pytestmark = [pytest.mark.ours, pytest.mark.skipif(not BROWSER, reason="chromium is not installed")]
WIDTHS = [320, 390, 768, 1280, 1920]

# Elements that reach beyond the window, but for those that their own box lets scroll.
OVERFLOWING = """[...document.querySelectorAll("body *")].filter((each) => each.checkVisibility() && !each.closest(".scroll, svg, .skip")
  && (each.getBoundingClientRect().right > innerWidth + 1 || each.getBoundingClientRect().left < -1)).map((each) => each.outerHTML.slice(0, 80))"""

# What stands on the edge of its box, or on the drawing beside it: also inside what may scroll.
CROWDED = """[...document.querySelectorAll(".badge, .measures span, .count")].filter((each) => {
  const drawing = each.closest(".replica")?.querySelector("svg")?.getBoundingClientRect(), box = each.getBoundingClientRect();
  const beside = drawing && box.bottom > drawing.top && box.top < drawing.bottom && box.right > drawing.left;
  const card = each.closest(".host, .card"), edge = card && card.getBoundingClientRect().right - parseFloat(getComputedStyle(card).paddingRight);
  return each.checkVisibility() && (beside || (card && box.right > edge + 1));
}).map((each) => each.outerHTML.slice(0, 80))"""

# Texts whose contrast with what is behind them is less than WCAG's AA asks for: 4.5, or 3 if they are large.
FAINT = """(() => {
  const parse = (color) => { const [r, g, b, a = 1] = color.match(/[\\d.]+/g).map(Number); return { r, g, b, a }; };
  const over = (top, below) => ({ r: top.r * top.a + below.r * (1 - top.a), g: top.g * top.a + below.g * (1 - top.a), b: top.b * top.a + below.b * (1 - top.a), a: 1 });
  const light = ({ r, g, b }) => [r, g, b].map((c) => (c /= 255) <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4).reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
  const behind = (each) => { const layers = []; for (let at = each; at; at = at.parentElement) layers.unshift(parse(getComputedStyle(at).backgroundColor)); return layers.reduce((below, top) => over(top, below), { r: 255, g: 255, b: 255, a: 1 }); };
  return [...document.querySelectorAll("body *")].filter((each) => each.checkVisibility() && [...each.childNodes].some((node) => node.nodeType === 3 && node.data.trim()) && !each.closest("svg, script, .skip")).filter((each) => {
    const style = getComputedStyle(each), ground = behind(each), ink = parse(style.color);
    for (let at = each; at; at = at.parentElement) ink.a *= Number(getComputedStyle(at).opacity);
    const pair = [light(over(ink, ground)), light(ground)].sort((a, b) => b - a), size = parseFloat(style.fontSize);
    return (pair[0] + .05) / (pair[1] + .05) < (size >= 24 || size >= 18.5 && style.fontWeight >= 700 ? 3 : 4.5);
  }).map((each) => each.outerHTML.slice(0, 80));
})()"""

# What has the focus, whether one sees that it has, and whether one sees it at all.
FOCUSED = """(() => {
  const each = document.activeElement, style = getComputedStyle(each), box = each.getBoundingClientRect();
  if (each === document.body) return null;
  return { name: each.id || each.getAttribute("aria-label") || each.textContent.trim().slice(0, 20),
           marked: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
           seen: box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth };
})()"""


@pytest.fixture(scope="module")
def browser():
    folder = new_folder("browser")
    running = Browser(folder)
    yield running
    running.close()
    remove_folder(folder)


@pytest.fixture
def page(browser, start_pgweir, cluster, replicas, tmp_path):
    """(browser, pages of the proxy): with odd names, a pin, a secret that cannot be read, and reads on replicas."""
    port = free_port()
    servers = [cluster.primary, *replicas]
    proxy = start_pgweir({
        "pgweir": {"http_listen": f"127.0.0.1:{port}", "pool_mode": "transaction"},
        "cluster main": {"hosts": ", ".join(map(address, servers)), **PROBE},
        "database <b>app": {"cluster": "main", "dbname": "app", "routing": "auto"},
        "secret odd&name": {"provider": "static", "value": "x"}, "secret missing": {"provider": "file", "path": tmp_path / "missing"}})
    proxy.raw("<b>app").ask("SELECT pg_advisory_lock_shared(4712)")
    client, web = proxy.raw("<b>app"), Web(port)

    def reads_on_replicas() -> bool:
        client.ask("SELECT 1")
        return any(row["decision"] == "replica" for row in web.json()["routes"])

    wait_until(reads_on_replicas, 20, "a replica is fresh enough")
    wait_until(lambda: [row["role"] for row in proxy.show("HOSTS")].count("replica") == 2, 20, "both replicas are known")
    browser.complaints.clear()
    browser.show_at(1280)
    browser.open(f"http://127.0.0.1:{port}/", "document.querySelectorAll('.host').length === 3 && !document.querySelector('#pins .empty')")
    yield browser, web
    complaints = list(browser.complaints)
    browser.open("about:blank", "location.href === 'about:blank'")
    assert not complaints


def test_it_shows_what_there_is(page, cluster, replicas):
    browser, _ = page
    text = browser.evaluate("document.body.innerText")
    for word in (*map(address, [cluster.primary, *replicas]), "<b>app", "odd&name", "advisory lock", "ready", "worker 1", "pgweir is ready",
                 "no value", "replica · "):
        assert word in text, word
    assert browser.evaluate("[...document.querySelectorAll('.host .badge')].map((each) => each.textContent)").count("replica") == 2
    assert browser.evaluate("document.getElementById('lost').hidden && document.getElementById('users').hidden")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_cut_off_or_too_faint_to_read(page, scheme):
    browser, _ = page
    for width in WIDTHS:
        browser.show_at(width, scheme=scheme)
        assert browser.evaluate("document.documentElement.scrollWidth <= innerWidth"), width
        assert browser.evaluate(OVERFLOWING) == [], width
        assert browser.evaluate(CROWDED) == [], width
    browser.evaluate("document.querySelectorAll('.meter i').forEach((each) => each.style.transition = 'none')")
    assert browser.evaluate("matchMedia('(prefers-color-scheme: dark)').matches") == (scheme == "dark")
    assert browser.evaluate(FAINT) == []


def test_the_keyboard_reaches_everything_and_leaves_again(page):
    browser, _ = page
    browser.show_at(390, 700)
    names, focused = [], None
    for _ in range(30):
        browser.press("Tab")
        focused = browser.evaluate(FOCUSED)
        if not focused:
            break
        assert focused["marked"] and focused["seen"], focused
        names.append(focused["name"])
    assert names[:4] == ["To the pools", "hold", "filter", "Pools"] and names[-4:] == ["events", "/metrics", "/healthz", "/readyz"]
    assert not focused, "the end of the page is a trap"
    # Backwards the same, in the other order.
    back = []
    for _ in names:
        browser.press("Tab", shift=True)
        back.insert(0, browser.evaluate(FOCUSED)["name"])
    assert back == names


def test_what_one_can_do_is_done_by_keyboard(page):
    browser, _ = page
    browser.press("Tab")
    browser.press("Enter")
    wait_until(lambda: browser.evaluate("location.hash === '#pools' && document.getElementById('pools').getBoundingClientRect().top < 200"), 5,
               "the link leads to the pools")
    browser.evaluate("document.getElementById('hold').focus()")
    browser.press("Space")
    assert browser.evaluate("document.getElementById('hold').getAttribute('aria-pressed')") == "true"
    held = browser.evaluate("document.getElementById('when').textContent")
    browser.press("Space")
    wait_until(lambda: browser.evaluate("document.getElementById('when').textContent") != held, 10, "it goes on")
    browser.press("Tab")
    browser.call("Input.insertText", text="no such pool")
    assert "No pool of that name." in browser.evaluate("document.getElementById('pool-rows').textContent")
    assert browser.evaluate("document.activeElement.id") == "filter"


def test_it_says_so_when_nobody_answers_any_more(page):
    browser, _ = page
    browser.call("Network.enable")
    try:
        browser.call("Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=-1, uploadThroughput=-1)
        wait_until(lambda: not browser.evaluate("document.getElementById('lost').hidden"), 15, "it says that nobody answers")
        assert "What follows is old." in browser.evaluate("document.getElementById('lost').textContent")
    finally:
        browser.call("Network.emulateNetworkConditions", offline=False, latency=0, downloadThroughput=-1, uploadThroughput=-1)
    wait_until(lambda: browser.evaluate("document.getElementById('lost').hidden"), 15, "it has an answer again")
    browser.complaints.clear()
