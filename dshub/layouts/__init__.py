"""Datasets in other forms than upstream's: folders and archives that people have.

A manifest's layouts say which forms there are. Those whose files have checksums are found like any
other file. The others are known by their structure: `recognise` looks for them below some paths,
`assessment` says what is missing, and `ImportRecord` keeps in the cache where they are. Nothing is
copied: a split is prepared from where its files lie, which are hashed as they are read.
"""
