"""How fast Switchyard is, as ratios to something run beside it."""
