"""Google Cloud Storage: `gs://bucket/…`, with the extra `cloud`."""

from dshub.download.transports._cloud import CloudTransport

Transport = CloudTransport
