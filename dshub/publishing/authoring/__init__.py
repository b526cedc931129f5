"""Write the manifest of files."""
