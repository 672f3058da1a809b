"""What `make bench` measures of the models, a file for each subject."""
