"""Operations that mix the elements of a batch."""
