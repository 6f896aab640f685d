"""Operations on the columns of tables."""
