"""Google Cloud Storage: `gs://bucket/…`; needs the extra `cloud`."""

from dshub.download.transports._cloud import CloudTransport

Transport = CloudTransport
