"""The checkers: a function for each thing that may be wrong, which tells every offence."""
