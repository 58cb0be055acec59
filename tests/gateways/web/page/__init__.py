"""Tests of the page in a browser: a package, so that they share one browser (see conftest.py)."""
