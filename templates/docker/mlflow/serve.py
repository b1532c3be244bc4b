"""Becomes MLflow's server: takes secrets from files, as ``NAME_FILE`` names them, and has the bucket of artifacts there."""

import os
from pathlib import Path

import boto3
from botocore.exceptions import ClientError

OURS = ("BucketAlreadyOwnedByYou", "BucketAlreadyExists")


def main() -> None:
    """Ready the environment, then hand over."""
    for name in ("PGPASSWORD", "AWS_SECRET_ACCESS_KEY"):
        os.environ[name] = Path(os.environ.pop(f"{name}_FILE")).read_text(encoding="ascii").strip()
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    # The address that people reach it at is not known here.
    os.environ.setdefault("MLFLOW_SERVER_ALLOWED_HOSTS", "*")
    bucket = os.environ["ARTIFACT_BUCKET"]
    try:
        boto3.client("s3", endpoint_url=os.environ["MLFLOW_S3_ENDPOINT_URL"]).create_bucket(Bucket=bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] not in OURS:
            raise
    # One process: of several, each that is slow to start is taken for dead and started anew.
    where = ("--host=0.0.0.0", "--port=5000", "--workers=1")
    what = ("--serve-artifacts", f"--artifacts-destination=s3://{bucket}")
    os.execvp("mlflow", ["mlflow", "server", *where, *what])  # noqa: S606 - this process is the container's first


if __name__ == "__main__":
    main()
