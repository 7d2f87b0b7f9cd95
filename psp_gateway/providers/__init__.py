"""A folder per PSP; they are strangers to each other."""
