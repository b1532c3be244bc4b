"""The S3 API as every site's server accepts it: client and errors, names, and deleting by the thousand. Below the clouds."""
