"""From files to a table: read, conform, write; or find the table that is there.

A table is found by its *recipe*: everything that decides its bytes (checksums of the files,
features, reader, its options and its revision), hashed into a key. Two manifests that differ in
words alone share a table; a change that could change a row cannot find an old one.

A split has an *origin*: upstream's files, or a layout in which it was imported.

Finding a table (`recipes`, `origins`) needs neither Arrow nor the readers; making one (`making`,
`reading`) does.
"""
