"""Write and pin manifests, and build web pages of datasets."""
