"""Read files from Amazon S3 or compatible storage (`s3://bucket/…`). Requires the extra `cloud`."""

from dshub.download.transports._cloud import CloudTransport

Transport = CloudTransport
