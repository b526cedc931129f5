"""Prepare batches in one child process, so that the training thread keeps its core.

`parent.py` requests batches, `child.py` makes them in threads, and `memory.py` has the memory that
both share. Requests and answers are pickles on the child's standard input and output.
"""
