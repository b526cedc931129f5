"""Mirrors: their index and signature, reading, writing, checking and serving them."""
