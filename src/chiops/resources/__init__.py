"""One file per kind of resource: how it is found, compared, made and taken away. Above the clouds, below the labs."""
