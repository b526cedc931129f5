"""Fuzz targets for parsers of untrusted bytes. See CONTRIBUTING.md."""
