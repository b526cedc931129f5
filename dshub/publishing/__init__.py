"""Publish datasets: write manifests, mirrors and pages, and serve them."""
