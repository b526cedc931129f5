"""Write, check and prune mirrors."""
