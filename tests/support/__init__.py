"""What several suites share: waiting, unique names with clean-up, access to nodes, and the check that nothing is left."""
