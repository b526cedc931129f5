"""Write manifests with checksums, and build web pages of datasets."""
