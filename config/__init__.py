"""What a stack may choose: the stack files, and the only code that reads them."""
