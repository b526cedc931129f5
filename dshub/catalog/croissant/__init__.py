"""Convert manifests to and from Croissant, a JSON-LD format for descriptions of datasets."""
