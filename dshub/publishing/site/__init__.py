"""Write the catalog's pages."""
