"""Operations that join components, take them apart, or say what they are."""
