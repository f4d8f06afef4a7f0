"""Choose the peers of an object: those of all routes that match its sender and its data set."""

from __future__ import annotations

import fnmatch
import os

from dicodec.errors import DicodecError
from dicodec.model.records import dataclass
from dicodec.repair.opening import open_tolerantly
from dicodec.service.gateway.config import GatewayConfig, Route

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from dicodec.part10.dicom_file import DicomFile


@dataclass(frozen=True, slots=True)
class Destination:
    """A peer that an object goes to.

    Attributes:
        peer: name of the peer.
        policy: name of a profile, or path of a policy; None for none.
    """

    peer: str
    policy: str | None


def find_destinations(
    config: GatewayConfig, sender: str, path: str | os.PathLike[str]
) -> tuple[Destination, ...]:
    """Return the peers that an object goes to; none if no route matches.

    The data set is read only if a condition asks for it. Conditions do not hold for an object that
    cannot be read.

    Args:
        config: the configuration.
        sender: AE title of the sender.
        path: the object as a file.
    """
    routes = [route for route in config.routes if fnmatch.fnmatchcase(sender, route.senders)]
    if any(route.conditions for route in routes):
        try:
            with open_tolerantly(path) as file:
                routes = [route for route in routes if _holds(route, file)]
        except DicodecError:
            routes = [route for route in routes if not route.conditions]
    found: dict[str, Destination] = {}
    for route in routes:
        for peer in route.peers:
            found.setdefault(peer, Destination(peer, route.policy))
    return tuple(found.values())


def _holds(route: Route, file: DicomFile) -> bool:
    return all(condition.test.holds(condition.read_values(file)) for condition in route.conditions)
