"""Generate synthetic datasets from manifests."""
