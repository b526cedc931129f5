"""Amazon S3 and what speaks its protocol: `s3://bucket/…`, with the extra `cloud`."""

from dshub.download.transports._cloud import CloudTransport

Transport = CloudTransport
