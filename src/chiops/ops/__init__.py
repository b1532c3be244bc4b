"""Single resources, made and taken away one command at a time, under the same rules as a lab's: marked, journaled, verified."""
