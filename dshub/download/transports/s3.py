"""Amazon S3 and compatible stores: `s3://bucket/…`; needs the extra `cloud`."""

from dshub.download.transports._cloud import CloudTransport

Transport = CloudTransport
