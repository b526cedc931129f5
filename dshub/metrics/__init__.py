"""Official metrics of benchmarks, and files for their submission servers."""
