"""Reservations: who may use which EVSE, until when. The policy of OCPP 2.0.1 blocks H and, as far as it is local, C.

A reservation is *specific* (it names an EVSE) or *floating* (any EVSE, or any with a connector of a type). Floating
ones are never pinned: an EVSE is closed for them exactly while they could not all be served without it.
Nothing here stores or sends; whoever decides something here writes it to flash before it is made true.
"""

import struct

CONNECTOR_TYPES = (
    "cCCS1 cCCS2 cG105 cTesla cType1 cType2 s309-1P-16A s309-1P-32A s309-3P-16A s309-3P-32A sBS1361 sCEE-7-7 sType2"
    " sType3 Other1PhMax16A Other1PhOver16A Other3Ph Pan wInductive wResonant Undetermined Unknown"
)
TOKEN_TYPES = "Central eMAID ISO14443 ISO15693 KeyCode Local MacAddress NoAuthorization"
_ENDINGS = "Expired Removed"  # ReservationUpdateStatusEnumType

# What a token means for an EVSE. A reservation is there for it; nobody has a better right, so the CSMS decides; kept
# for a group, and only the CSMS knows the token's group (H03.FR.08); kept for somebody else. Better ones come first.
_VERDICTS = "claim open ask closed"

# kind of ending, id, EVSE, connector type, expiry, sequence, token type, group type, length of the token; the two
# tokens follow. Names are stored as their place in the lists above, which therefore only ever grow at the end.
_HEAD = ">BiBBqIBBB"
_HEAD_SIZE = 22


class Reservation:
    """What was reserved. `evse_id`, `connector_type` and `group` may be None; `expiry` in seconds since 1970.

    `token` and `group` are (id_token, type). `sequence` grows with each reservation: the order they were made in.
    `ended` is None while it is in force, else "Expired" or "Removed": it is over, and the CSMS has yet to hear. Of an
    ended one, `saved` tells whether flash knows, `queued` whether the CSMS is being told.
    """

    sequence = 0
    ended = None
    saved = True
    queued = False

    def __init__(self, reservation_id, evse_id, connector_type, expiry, token, group):
        self.id = reservation_id
        self.evse_id = evse_id
        self.connector_type = connector_type
        self.expiry = expiry
        self.token = token
        self.group = group

    def record(self):
        """The bytes that go to flash: at most 94 of them."""
        group, group_type = self.group or ("", None)
        return (
            struct.pack(
                _HEAD, place(_ENDINGS, self.ended), self.id, self.evse_id or 0,
                place(CONNECTOR_TYPES, self.connector_type), self.expiry, self.sequence,
                place(TOKEN_TYPES, self.token[1]), place(TOKEN_TYPES, group_type), len(self.token[0]),
            )
            + self.token[0].encode()
            + group.encode()
        )


def from_record(data):
    """The Reservation that `record()` made these bytes of. ValueError or IndexError if they cannot be one."""
    if len(data) < _HEAD_SIZE:
        raise ValueError
    ended, reservation_id, evse_id, connector_type, expiry, sequence, token_type, group_type, length = struct.unpack(
        _HEAD, data[:_HEAD_SIZE])
    length += _HEAD_SIZE
    token = (data[_HEAD_SIZE:length].decode(), name_at(TOKEN_TYPES, token_type))
    group = (data[length:].decode(), name_at(TOKEN_TYPES, group_type)) if group_type else None
    reservation = Reservation(
        reservation_id, evse_id or None, name_at(CONNECTOR_TYPES, connector_type), expiry, token, group)
    reservation.sequence = sequence
    reservation.ended = name_at(_ENDINGS, ended)
    return reservation


def place(names, name):
    """Where a name stands in a text of names, from 1; 0 for None. ValueError if it does not."""
    return 0 if name is None else names.count(" ", 0, names.index(name)) + 1


def name_at(names, place):
    """The name at such a place, None at 0. IndexError if there is no such place."""
    return names.split()[place - 1] if place else None


def same_token(one, other):
    """C01.FR.25: equal when idToken and type are; idToken is an identifierString, so letter case does not count."""
    return one[1] == other[1] and one[0].lower() == other[0].lower()


def _matches(reservation, token, group):
    """H03.FR.01–06: the token itself, or its group where the reservation names one."""
    return same_token(reservation.token, token) or (
        reservation.group and group and same_token(reservation.group, group))


class Reservations:
    """The reservations in force and the endings still to be reported, over the EVSEs of a Site."""

    def __init__(self, site):
        self.site = site
        self.enabled = True  # ReservationCtrlr.Enabled: while false the records stay, stored and unused
        self.held = []  # in force, in the order they were made
        self.ended = []  # over, the CSMS has yet to hear
        self.sequence = 0  # of the youngest

    def put(self, reservation):
        """Take over a reservation, in place of any other with its id (H01.FR.02), as held or ended by its own word."""
        self.drop(reservation.id)
        reservations = self.held if reservation.ended is None else self.ended
        at = len(reservations)
        while at and reservations[at - 1].sequence > reservation.sequence:
            at -= 1  # it is not the youngest: this happens at power-on only
        reservations.insert(at, reservation)
        self.sequence = max(self.sequence, reservation.sequence)

    def drop(self, reservation_id):
        """Forget a reservation, held or ended."""
        for reservations in (self.held, self.ended):
            for reservation in reservations:
                if reservation.id == reservation_id:
                    reservations.remove(reservation)
                    break

    def find(self, reservation_id):
        """The reservation in force with that id, or None. Ids are opaque: 0 is one like any other."""
        for reservation in self.held:
            if reservation.id == reservation_id:
                return reservation
        return None

    def specific(self, evse_id, but=None):
        """The reservation in force that names this EVSE, or None; `but`: an id to look past."""
        if self.enabled:
            for reservation in self.held:
                if reservation.evse_id == evse_id and reservation.id != but:
                    return reservation
        return None

    def reserved_evses(self):
        """Bit mask (bit 0 = EVSE 1) of the EVSEs that are kept: named by a reservation, or needed by floating ones."""
        masks = self._floating_masks()
        served = _matching(masks)
        reserved = 0
        for evse in self.site.evses:
            # Needed is an EVSE without which fewer floating ones could be served (H01.FR.07, .09, .20, .24).
            if self.specific(evse.id) or _matching(masks, evse.bit) < served:
                reserved |= evse.bit
        return reserved

    # --- may it be reserved?

    def judge(self, wanted):
        """ReserveNowStatusEnumType for such a Reservation, as if another with the same id did not exist.

        The EVSE, if one is named, exists, and so does the connector type there (H01.FR.03, .04, .06, .11–.14, .23).
        """
        connector_type = wanted.connector_type
        old = self.find(wanted.id)
        available = 0
        status = "Unavailable"  # H01.FR.14
        for evse in self.site.evses:
            if wanted.evse_id is not None and wanted.evse_id != evse.id:
                continue
            if connector_type is not None and not evse.has_type(connector_type):
                continue
            if evse.fault is not None:
                if status == "Unavailable":
                    status = "Faulted"  # H01.FR.12
            elif self.site.in_service(evse) and evse.usable_types(connector_type):
                status = "Occupied"  # H01.FR.11; in a mixed set it comes before the others
                # Idle, or kept by the very reservation that is to be replaced, with a cable that came meanwhile.
                if not self.specific(evse.id, wanted.id) and (
                        evse.idle() or (old and old.evse_id == evse.id and evse.waits_for_holder())):
                    available |= evse.bit
        floating = self._floating_masks(wanted.id)
        if wanted.evse_id is None:
            spare = _matching(floating + (available,)) > _matching(floating)
        else:
            spare = available and _matching(floating, available) == _matching(floating)
        return "Accepted" if spare else status  # H01.FR.04, .06, .23

    # --- who may use it?

    def claim(self, evse, token, group):
        """The reservation that lets this token use this EVSE, or None (H03.FR.01–06).

        Whoever may use any of several EVSEs may not use the one that somebody else has been promised (H01.FR.07, .09).
        """
        specific = self.specific(evse.id)
        if specific:
            return specific if _matches(specific, token, group) else None
        for reservation in self.held:
            if (self.enabled and reservation.evse_id is None and evse.usable_types(reservation.connector_type)
                    and _matches(reservation, token, group)):
                others = self._floating_masks(reservation.id)
                if _matching(others, evse.bit) + 1 >= _matching(self._floating_masks()):
                    return reservation
        return None

    def is_reserved(self, evse):
        """Is this EVSE kept for the holder of a reservation?"""
        return bool(self.reserved_evses() & evse.bit)

    def verdict(self, evse, token, group):
        """(one of _VERDICTS, the Reservation or None) for a token at an EVSE where nobody charges.

        `token` and `group` as (id_token, type); `group` is None where it is not known or there is none.
        """
        reservation = self.claim(evse, token, group)
        if reservation:
            return "claim", reservation
        if not self.is_reserved(evse):
            return "open", None
        if group is None:
            for reservation in self.held:
                if reservation.group and self.claim(evse, token, reservation.group):
                    return "ask", None
        return "closed", None

    def choose(self, token, group=None):
        """The EVSE that is meant by a token without an EVSE, or None: one reader, or a remote start, serves them all.

        Where the token charges already; then where it has a reservation of its own; then where a cable waits; then a
        free one, a reserved one of a group last.
        """
        best = None
        best_rank = 9
        for evse in self.site.evses:
            rank = self._rank(evse, token, group)
            if rank < best_rank:
                best, best_rank = evse, rank
        return best

    def _rank(self, evse, token, group):
        if evse.authorization:
            return 0 if same_token(evse.authorization.token, token) else 9
        if not (self.site.in_service(evse) and self.site.operative_target(evse)):
            return 9
        what, reservation = self.verdict(evse, token, group)
        if what == "claim" and reservation.evse_id is not None:
            return 1
        if what == "closed":
            return 9
        return 2 * place(_VERDICTS, what) + (not evse.plugged)

    # --- what is over?

    def lapsed(self, utc):
        """Those whose time is up (H04.FR.01). Nothing lapses while the clock is not set: `utc` None."""
        lapsed = ()  # as a rule it stays empty, and then takes no memory
        for reservation in self.held:
            if utc is not None and reservation.expiry <= utc:
                lapsed += (reservation,)
        return lapsed

    def homeless(self):
        """Those that no EVSE can serve any more because of faults or of EVSEs taken out of service (H01.FR.16, .17).

        An occupied EVSE counts as able to serve: its driver will leave. Of floating ones the youngest go first.
        """
        homeless = places = ()
        taken = 0
        for reservation in self.held:
            if reservation.evse_id is not None:
                evse = self.site.evse(reservation.evse_id)
                if evse and self._serves(evse, reservation):
                    taken |= evse.bit
                else:
                    homeless += (reservation,)
        for reservation in self.held:
            if reservation.evse_id is None:
                mask = 0
                for evse in self.site.evses:
                    if self._serves(evse, reservation) and not taken & evse.bit:
                        mask |= evse.bit
                if _matching(places + (mask,)) > len(places):
                    places += (mask,)
                else:
                    homeless += (reservation,)
        return homeless

    def _serves(self, evse, reservation):
        return self.site.in_service(evse) and (
            evse.transaction or evse.usable_types(reservation.connector_type))

    # --- floating reservations as a matching

    def _floating_masks(self, but=None):
        """For each floating reservation the EVSEs that could serve it now, as a bit mask; `but`: an id to look past."""
        masks = ()
        for reservation in self.held:
            if reservation.evse_id is None and reservation.id != but and self.enabled:
                mask = 0
                for evse in self.site.evses:
                    if (self.site.in_service(evse) and evse.usable_types(reservation.connector_type)
                            and evse.waits_for_holder() and not self.specific(evse.id, but)):
                        mask |= evse.bit
                masks += (mask,)
        return masks


def _matching(masks, taken=0):
    """How many of the masks can each have a bit of their own: the size of a maximum bipartite matching.

    Nobody may have one of the bits `taken`.
    """
    placed = 0
    if masks:
        owners = {}
        for index in range(len(masks)):
            placed += _place_one(masks, index, owners, [taken])
    return placed


def _place_one(masks, index, owners, tried):
    """Give masks[index] a bit, moving earlier owners where that helps; 1 if it worked. The classic augmenting path."""
    bit = 1
    while bit <= masks[index]:
        if masks[index] & bit and not tried[0] & bit:
            tried[0] |= bit
            if bit not in owners or _place_one(masks, owners[bit], owners, tried):
                owners[bit] = index
                return 1
        bit <<= 1
    return 0
