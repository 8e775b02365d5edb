"""Pictures of mails on a phone and on a desktop, by a headless Chromium where there is one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

#: Width of a picture in CSS pixels, by the device that it stands for.
WIDTHS: Mapping[str, int] = {"phone": 360, "desktop": 1280}
#: Names another browser than those that are looked for.
VARIABLE = "SHOPFLOW_CHROMIUM"
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_HEIGHT = 640


class NoBrowser(Exception):  # noqa: N818 - no failure: the gallery goes without pictures
    """There is nothing to take pictures with; says what to do."""


def find_browser(environment: Mapping[str, str] = os.environ) -> str:
    """The path of a Chromium.

    Raises:
        NoBrowser: None is installed, or what `SHOPFLOW_CHROMIUM` names is not there.
    """
    named = environment.get(VARIABLE, "")
    if named:
        found = shutil.which(named)
        if found is None:
            raise NoBrowser(f"{VARIABLE} is {named}, and there is no such program")
        return found
    for name in _NAMES:
        if found := shutil.which(name):
            return found
    raise NoBrowser(f"no Chromium was found; install one, or name it with {VARIABLE}")


def take_pictures(pages: Iterable[Path], folder: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Stem of each page -> file name of its picture by device; scripts and the network are off.

    Raises:
        NoBrowser: There is no browser, nothing to drive it with, or it does not start.
    """
    browser_path = find_browser()
    try:
        from playwright.sync_api import Error, sync_playwright  # noqa: PLC0415 - an extra
    except ImportError as e:
        raise NoBrowser("Playwright is not installed: pip install 'shopflow[preview]'") from e
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        try:
            # Root cannot have Chromium's sandbox; what is shown are the shop's own templates.
            rootless = ["--no-sandbox"] if os.geteuid() == 0 else []
            browser = playwright.chromium.launch(executable_path=browser_path, args=rootless)
        except Error as e:
            raise NoBrowser(f"{browser_path} does not start: {e.message.splitlines()[0]}") from e
        try:
            page = browser.new_page(java_script_enabled=False, offline=True)
            for path in pages:
                # Read once: pictures of the shop's server would make each look at it another.
                page.set_content(path.read_text(encoding="utf-8"), wait_until="commit")
                taken = {}
                for device, width in WIDTHS.items():
                    page.set_viewport_size({"width": width, "height": _HEIGHT})
                    name = f"{path.stem}-{device}.png"
                    page.screenshot(path=folder / name, full_page=True)
                    taken[device] = name
                yield path.stem, taken
        finally:
            browser.close()
