"""What is asked, and of whom: suites and items, the catalogue of models, the error tree."""
