"""What a change of a project does to its stacks: two revisions of it, compared over a pretend cloud."""
