"""The store: what a pipeline's beginning makes, kept on disk under a key that any change of it changes.

An entry is a folder, published by one rename: whoever finds it finds all of it. Each component of a fixed shape is one
file of rows, one after the other, without anything between them, so that a row is found by arithmetic and the file can
be mapped into memory. Of texts the rows say where each ends in a second file, which has them one after the other.
Compressed rows are frames of several rows, of each component on their own, and a frame is kept as a text is.
`manifest.json` says what the files are, with a checksum for every block of rows.

Nothing here imports TensorFlow.
"""
