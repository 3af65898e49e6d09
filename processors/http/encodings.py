"""What a client takes besides plain bytes. Pure."""

from collections.abc import Iterable


def takes_gzip(said: Iterable[str]) -> bool:
    """Whether who says these Accept-Encoding headers takes gzip (RFC 9110, 12.5.3)."""
    found = {}
    for one in ",".join(said).lower().split(","):
        name, _, rest = one.partition(";")
        weight = rest.replace(" ", "").removeprefix("q=")
        found[name.strip()] = weight.strip("0.") != "" if weight else True
    return found.get("gzip", found.get("x-gzip", found.get("*", False)))
