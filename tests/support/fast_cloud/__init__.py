"""A cloud within one sqlite file, for tests that need hundreds of runs: the third implementation of `chiops.cloud.base`.

It keeps the same contract as the others (tests/contract), so it is no mock that agrees with whoever calls it: leases start and
end, quotas and pools run out, statuses take a few looks, names may repeat, and what is in use is not deleted. All of it is in
the file, so it outlives a process that is killed; and a site is copied by copying its folder.
"""
