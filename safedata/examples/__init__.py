"""`tf.train.Example` and `tf.train.SequenceExample`: features as a spec names them, and as the graph parses them."""
