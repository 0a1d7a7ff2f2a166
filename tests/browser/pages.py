"""Looks at every page of a dashboard in a real browser: what scripts/browser.sh runs.

Of each page, at 1280 and 390 pixels, light and dark: a picture; no violation of axe's rules that is serious or critical; nothing in the browser's
console, which also reports violations of the content security policy; nothing wider than the window; the size of the page and of the script. Then the
whole page by keyboard: Tab reaches every control, and what has the focus can be seen. Then the pages without script.
"""

import argparse
import pathlib
import shutil
import sys

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Error, sync_playwright

OF_CLUSTER = ["runs", "submit", "workers", "dead-letters", "generations"]
OF_EVALUATION = ["", "/arena", "/arena?voter=browser", "/arena/votes", "/budget", "/endpoints"]
OF_RUN = ["", "/recipes", "/rows", "/rejects", "/map", "/coverage", "/budget", "/endpoints"]
WIDTHS = {"desktop": (1280, 900), "phone": (390, 844)}
# The limits of what one page may weigh, compressed, in bytes: the page itself, and the script.
PAGE_BYTES, SCRIPT_BYTES = 100_000, 25_000
# Tab stops that are followed at most.
STOPS = 400

WIDER = """() => {
  const room = document.documentElement.clientWidth;
  return document.documentElement.scrollWidth <= room ? [] : [...document.querySelectorAll('body *')]
    .filter(one => one.getBoundingClientRect().right > room + 1 && !one.closest('.scrolls, pre, table, svg'))
    .slice(0, 3).map(one => one.outerHTML.slice(0, 100));
}"""
FOCUS = """() => {
  const one = document.activeElement;
  if (!one || one === document.body) return null;
  const style = getComputedStyle(one), box = one.getBoundingClientRect();
  const shown = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0 || style.boxShadow !== 'none';
  const all = [...document.querySelectorAll('*')];
  return {at: all.indexOf(one), what: one.outerHTML.slice(0, 100), shown, size: box.width * box.height};
}"""
CONTROLS = """() => [...document.querySelectorAll('a[href], button, input:not([type=hidden]), select, textarea, summary')]
  .filter(one => !one.disabled && one.checkVisibility() && one.tabIndex >= 0).length"""


class Findings:
    """What is wrong, once each."""

    def __init__(self):
        self.seen = []

    def add(self, where, what):
        if (where, what) not in self.seen:
            self.seen.append((where, what))
            print(f"{where}: {what}", flush=True)


def addresses(page, url, run):
    """The pages to look at: of the cluster, of a run, and of one of its rows."""
    run = run or page.eval_on_selector_all("a[href*='/runs/']", "all => all.map(one => one.getAttribute('href'))")[0].split("/")[2]
    found = [*OF_CLUSTER, *(f"runs/{run}{part}" for part in OF_RUN), f"runs/{run}/rows?verdict=rejected", f"compare?a={run}&b={run}"]
    page.goto(f"{url}/runs/{run}/rows")
    rows = page.eval_on_selector_all("a[href*='/rows/']", "all => all.map(one => one.getAttribute('href'))")
    found += [row.lstrip("/") for row in rows[:1]]
    page.goto(f"{url}/runs/{run}")
    of_run = page.eval_on_selector_all("nav a[href*='/runs/']", "all => all.map(one => one.getAttribute('href'))")
    acts = page.eval_on_selector_all("a[href*='/act/']", "all => all.map(one => one.getAttribute('href'))")
    found += [one.lstrip("/") for one in of_run + acts[:1]]
    return list(dict.fromkeys(found))


def of_evaluation(page, url, run, findings):
    """The pages of an evaluation. Votes on one question by its key, so that a page with the names is among them."""
    found = [f"runs/{run}{part}" for part in OF_EVALUATION]
    page.goto(f"{url}/runs/{run}/arena/next?voter=browser")
    contest = page.url
    if page.locator("[data-key='1']").count() == 0:
        return found
    page.keyboard.press("t")
    page.wait_for_load_state()
    if page.url != contest or page.locator("h1").inner_text() != "Voted":
        findings.add(contest, f"the key t does not vote: {page.locator('h1').inner_text()}")
    page.keyboard.press("n")
    page.wait_for_url(lambda address: address != contest)
    if page.locator("[data-key='1']").count() == 0:
        findings.add(page.url, "the key n does not lead to another question")
    return found + [address.removeprefix(url).lstrip("/") for address in (contest, page.url)]


def sign_in(page, url, token):
    page.goto(f"{url}/sign-in")
    page.fill("input[name=token]", token)
    page.click("button[type=submit]")


def look(context, url, path, name, findings, folder, axe):
    """One page in one window."""
    page = context.new_page()
    where = f"{path} ({name})"
    page.on("console", lambda said: said.type in ("error", "warning") and findings.add(where, f"console: {said.text}"))
    page.on("pageerror", lambda error: findings.add(where, f"error: {error}"))
    answer = page.goto(f"{url}/{path}", wait_until="load")
    if answer.status == 404 and path in OF_CLUSTER:
        # Runs of this machine have no workers, and no cluster to submit to; not all have a lineage beside them.
        return page.close()
    if answer.status != 200:
        findings.add(where, f"status {answer.status}")
    # The first update of a live page has come.
    page.wait_for_timeout(1500)
    for violation in axe.run(page).response["violations"]:
        if violation["impact"] in ("serious", "critical"):
            findings.add(where, f"axe {violation['id']} ({violation['impact']}): {violation['nodes'][0]['html'][:160]} x{len(violation['nodes'])}")
    for one in page.evaluate(WIDER):
        findings.add(where, f"wider than the window: {one}")
    file = path.replace("/", "_").replace("?", "-") or "home"
    page.screenshot(path=folder / f"{file}.{name}.png", full_page=True)
    page.close()


def weigh(context, url, path, findings):
    """Bytes of a page and of its scripts as they are sent."""
    page = context.new_page()
    sizes = {"document": 0, "script": 0}

    def finished(request):
        if request.resource_type in sizes:
            sizes[request.resource_type] += request.sizes()["responseBodySize"]

    page.on("requestfinished", finished)
    page.goto(f"{url}/{path}", wait_until="load")
    page.wait_for_timeout(200)
    if sizes["document"] > PAGE_BYTES:
        findings.add(path, f"the page has {sizes['document']:,} bytes")
    if sizes["script"] > SCRIPT_BYTES:
        findings.add(path, f"the script has {sizes['script']:,} bytes")
    page.close()


def by_keyboard(context, url, path, findings):
    """Tab from the first control to the last."""
    page = context.new_page()
    page.goto(f"{url}/{path}", wait_until="load")
    controls, reached = page.evaluate(CONTROLS), set()
    for _ in range(STOPS):
        page.keyboard.press("Tab")
        focus = page.evaluate(FOCUS)
        if focus is None or focus["at"] in reached:
            break
        reached.add(focus["at"])
        if not focus["shown"]:
            findings.add(path, f"focus cannot be seen: {focus['what']}")
    if len(reached) < min(controls, STOPS):
        findings.add(path, f"Tab reaches {len(reached)} of {controls} controls")
    page.close()


def without_script(browser, url, path, token, findings):
    """The page has its heading and its main part."""
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        if token:
            sign_in(page, url, token)
        page.goto(f"{url}/{path}")
        if page.locator("h1").count() != 1:
            findings.add(path, f"without script: {page.locator('h1').count()} headings h1")
        if len(page.locator("main").inner_text()) < 40:
            findings.add(path, "without script: nothing in the main part")


def main():
    parse = argparse.ArgumentParser(prog="browser.sh")
    parse.add_argument("url", type=lambda url: url.rstrip("/"))
    parse.add_argument("folder", type=pathlib.Path)
    parse.add_argument("--run")
    parse.add_argument("--evaluation", help="also look at this evaluation, and vote once on its answers")
    parse.add_argument("--token")
    args = parse.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    findings, axe = Findings(), Axe()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        paths = None
        for scheme in ("light", "dark"):
            for width, (x, y) in WIDTHS.items():
                with browser.new_context(color_scheme=scheme, viewport={"width": x, "height": y}) as context:
                    page = context.new_page()
                    if args.token:
                        sign_in(page, args.url, args.token)
                    page.goto(f"{args.url}/runs")
                    paths = paths or addresses(page, args.url, args.run)
                    if args.evaluation:
                        paths, args.evaluation = paths + of_evaluation(page, args.url, args.evaluation, findings), None
                    page.close()
                    for path in paths:
                        look(context, args.url, path, f"{width}-{scheme}", findings, args.folder, axe)
                    if (scheme, width) == ("light", "desktop"):
                        for path in paths:
                            weigh(context, args.url, path, findings)
                            by_keyboard(context, args.url, path, findings)
        for path in paths:
            without_script(browser, args.url, path, args.token, findings)
        browser.close()
    print(f"{len(paths)} pages in {2 * len(WIDTHS)} windows: {len(findings.seen)} findings; pictures in {args.folder}")
    return bool(findings.seen)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Error as error:
        sys.exit(f"browser.sh: {error.message.splitlines()[0]}")
