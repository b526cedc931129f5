"""Data sets as practitioners have them, small, with the rows that each must give.

| module | data sets |
|---|---|
| `tables.py` | CSV of pandas, spreadsheets, UCI, MovieLens and Kaggle; JSON; Parquet; ARFF |
| `arrays.py` | npz, HDF5, pixels and tags in columns |
| `texts.py` | documents in folders, lines, token labels, chats, questions, translations |
| `images.py` | class folders, zips, tables and captions beside images, masks, odd files |
| `objects.py` | boxes of COCO, Pascal VOC, YOLO and Hugging Face |
| `sounds.py` | class folders, Common Voice, ESC-50, files of ffmpeg |
| `shards.py` | WebDataset, TFRecord, folders of `key=value`, links |

`case.py` takes a case through `dshub new`, `check`, `load` and `batches().torch()`, and through the
`from_…` function that fits. Each route gives the stated rows, or one clear question or refusal. The
table of all results::

    python -m tests.end_to_end.practitioners [WORD…]
"""
