"""How servers differ: the words they use, and the forms in which they take a request."""
