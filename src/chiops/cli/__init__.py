"""The command line: one file per noun or verb, each parses, calls and prints. No logic, no heavy imports at the top."""
