"""Presets: named bundles of keys, each of which can still be set by itself."""

from dataclasses import dataclass

from components.network_options import Flows, Kind


@dataclass(frozen=True, kw_only=True)
class Preset:
    """The values that keys take when a stack does not set them."""

    network: Kind
    zones: int
    flow_logs: Flows
    log_days: int
    protect: bool
    access_logs: bool
    strict: bool


PRESETS = {
    # The cheapest that is still safe: no NAT gateway, gone without a trace after `pulumi destroy`.
    "trial": Preset(
        network="public", zones=2, flow_logs="none", log_days=7, protect=False, access_logs=False, strict=False
    ),
    # Replicas without public addresses.
    "standard": Preset(
        network="nat-single", zones=2, flow_logs="none", log_days=30, protect=False, access_logs=False, strict=False
    ),
    # Nothing shared between zones, nothing deleted by accident, logs for a year, and of who was turned away.
    "production": Preset(
        network="nat-per-az", zones=3, flow_logs="rejected", log_days=365, protect=True, access_logs=True, strict=True
    ),
}
