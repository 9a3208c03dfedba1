"""The few APIs of AWS that the program and the engine call themselves, past the providers."""
