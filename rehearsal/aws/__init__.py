"""AWS, cut by area: all that the rehearsal knows of a type of resource stands in one row, in the file of its area."""
