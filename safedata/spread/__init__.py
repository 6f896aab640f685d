"""A cache on disk written by several processes: each makes some of the parts, and this one puts these in a row.

A part is an entry of its own, in a folder inside the entry that is being written. What a killed run has finished of
them is kept, and the rows lie on disk exactly as one process would have written them.
"""
