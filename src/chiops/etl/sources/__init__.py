"""Where the images of a dataset of one's own come from: a folder, this process's stdin, or the bucket."""
