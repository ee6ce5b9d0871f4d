"""The tests of kumiawase."""
