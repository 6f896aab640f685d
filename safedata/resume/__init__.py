"""A pass over a pipeline that goes on in its middle: from a state of a few numbers, the same elements to the bit."""
