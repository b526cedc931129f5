"""Serve a mirror over HTTP."""
