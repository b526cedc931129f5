"""All data sets, in the order of their numbers."""

from tests.end_to_end.practitioners import arrays, images, objects, shards, sounds, tables, texts

CASES = [
    *tables.CASES,
    *images.CASES,
    *arrays.CASES,
    *texts.CASES,
    *objects.CASES,
    *sounds.CASES,
    *shards.CASES,
]
