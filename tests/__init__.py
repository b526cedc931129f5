"""Tests of dshub; a package so that its own helpers are imported by one name."""
