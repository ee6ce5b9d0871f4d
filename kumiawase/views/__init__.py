"""What verbs show a person, read from a study."""
