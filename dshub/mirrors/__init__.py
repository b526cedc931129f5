"""Write, read, verify, sign and serve mirrors."""
