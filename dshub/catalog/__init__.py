"""Find datasets, and read their manifests."""
