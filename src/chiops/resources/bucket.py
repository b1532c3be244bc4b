"""Buckets, which hold data and therefore go only by explicit flag."""

from __future__ import annotations

from dataclasses import dataclass

from chiops.cloud.base import Bucket
from chiops.errors import Conflict, NotFound
from chiops.resources.kind import Op, Verdict, Workbench, expect, ours


@dataclass(frozen=True)
class BucketWanted:
    """A bucket of that name."""

    name: str


class BucketKind:
    noun = "bucket"

    def judge(self, wanted: BucketWanted, bench: Workbench) -> Verdict:
        named = [bucket for bucket in bench.seen.buckets if bucket.name == wanted.name]
        if named and named[0].mark is None:
            # A listing of Swift carries no marks: the one bucket in question is asked for its own.
            named = [bench.cloud.objects.get(wanted.name)]
        found = ours(named, wanted.name, bench, self.noun)
        if found:
            return Verdict(Op.KEEP, "its objects stay as they are", found)
        return Verdict(Op.CREATE, "holds the lab's data")

    def make(self, wanted: BucketWanted, bench: Workbench) -> Bucket:
        return bench.cloud.objects.create(wanted.name, mark=bench.mark)

    def settle(self, wanted: BucketWanted, found: object, bench: Workbench) -> object:  # noqa: ARG002
        return found

    mend = settle

    def take(self, found: object, bench: Workbench) -> None:
        """Delete an empty bucket; one with objects is purged first, by the caller, with the person's word.

        Raises:
            Conflict: it is not empty.
        """
        found = expect(Bucket, found)
        try:
            bench.cloud.objects.delete(found.name)
        except NotFound:
            return
        except Conflict as error:
            raise Conflict(
                f"the bucket {found.name} is not empty", todo="add --purge-bucket to delete its objects too"
            ) from error
