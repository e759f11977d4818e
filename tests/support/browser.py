"""A page of a real browser: the system's Chromium without a window, driven by Playwright."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

# Chromium asks no server of its maker while a test runs.
QUIET = [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
]


@contextmanager
def open_browser() -> Iterator:
    """A Playwright browser. Where Chromium is not installed the test is skipped, or fails if
    ``MMPOLAR_REQUIRE_BROWSER`` is set, as it is in ``.ci/run``."""
    program = shutil.which('chromium') or shutil.which('chromium-browser')
    if program is None:
        remedy = 'no Chromium on this machine (on Debian: apt-get install chromium)'
        if os.environ.get('MMPOLAR_REQUIRE_BROWSER'):
            pytest.fail(remedy)
        pytest.skip(remedy)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=QUIET)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def open_page(**options: object) -> Iterator:
    """A page of its own in a browser of its own; a script error on it fails the test."""
    with open_browser() as browser:
        page = browser.new_page(**options)
        errors: list[str] = []
        page.on('pageerror', lambda error: errors.append(str(error)))
        yield page
        assert not errors, errors
