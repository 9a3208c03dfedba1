"""A pretend cloud behind the real Pulumi engine: what a stack does, without an account.

It serves Pulumi's provider protocol for the packages aws, eks and kubernetes, computes what a cloud would, refuses what
AWS refuses, and takes its time. It proves order, replacements, refusals and recovery; AWS itself is never asked.
"""

from rehearsal.cloud import Cloud
from rehearsal.operations import Call, Fault

__all__ = ["Call", "Cloud", "Fault"]
