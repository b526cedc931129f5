"""Modules with the names and signatures of other libraries, one module per library.

Change the import, and a project runs on dshub's datasets.
"""
