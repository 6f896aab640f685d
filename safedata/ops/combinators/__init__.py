"""Operations that apply other ones."""
