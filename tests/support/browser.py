"""A headless Chromium of Debian's, driven by Playwright; nothing is downloaded."""

from __future__ import annotations

import shutil
from contextlib import contextmanager

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright
from support.servers import tool

#: The narrowest window that pages have to fit into, and a common wide one.
PHONE, DESKTOP = 360, 1280
#: What WCAG 2.1 asks for at levels A and AA, as axe-core checks it.
AA = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}}


@contextmanager
def a_browser(locale="fr"):
    """A page of a browser that speaks the language."""
    # Where Debian's is not to be had, the browser that is there does.
    chromium = shutil.which("google-chrome") or tool("chromium", "chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        try:
            # What pages forbid to be run is for them to say; axe-core is run all the same.
            yield browser.new_page(locale=locale, bypass_csp=True)
        finally:
            browser.close()


def looked_at(page, folder, name):
    """The page fits into a phone and a desktop, and axe-core has nothing to say; pictures stay."""
    for width in (PHONE, DESKTOP):
        page.set_viewport_size({"width": width, "height": 900})
        whole = "document.documentElement"
        wider = page.evaluate(f"{whole}.scrollWidth - {whole}.clientWidth")
        assert wider <= 0, f"{name} is {wider} pixels too wide for {width}"
        page.screenshot(path=folder / f"{name}-{width}.png", full_page=True)
        found = Axe().run(page, options=AA)
        assert found.violations_count == 0, f"{name} at {width}\n{found.generate_report()}"
