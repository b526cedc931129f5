"""Read tables in files, and infer their structure and the features of their columns."""
