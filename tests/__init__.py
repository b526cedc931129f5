"""Tests of dshub, as a package so that modules can import shared helpers."""
