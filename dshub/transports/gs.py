"""Google Cloud Storage: `gs://bucket/…`, with the extra `cloud`."""

from dshub.transports._cloud import CloudTransport

Transport = CloudTransport
