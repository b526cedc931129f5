"""The catalog: which datasets exist, and what a manifest says of each."""
