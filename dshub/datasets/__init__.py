"""Dataset views: select, combine, decode and batch rows."""
