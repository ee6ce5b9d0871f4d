"""An ensemble in one file that runs without the study it comes from."""
