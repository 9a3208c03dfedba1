"""What `yard prices refresh` does: read AWS's public price lists, find our prices in them, write the region's file."""


class PriceListError(Exception):
    """Why a price list gives no price; the message says what was looked at and what is wrong with it."""


class Unreachable(PriceListError):
    """Nobody answers where the lists are, so that it is no use to ask for the next one."""
