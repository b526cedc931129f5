"""Read files from Google Cloud Storage (`gs://bucket/…`). Requires the extra `cloud`."""

from dshub.download.transports._cloud import CloudTransport

Transport = CloudTransport
