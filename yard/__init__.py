"""`yard`: the small command line beside `pulumi`."""
