"""What Acme charges, in files of the form that docs/prices.md tells."""
