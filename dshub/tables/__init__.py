"""Tables: prepared rows on disk, and how they are made and found."""
