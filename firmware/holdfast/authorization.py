"""Who may charge where: what a presented token means for an EVSE. The policy of block C, as far as it is local."""

from holdfast.reservations import same_token

# A reservation is there for this token; nobody has a better right, so the CSMS decides; kept for a group, and only the
# CSMS knows the token's group (H03.FR.08); kept for somebody else. Better ones come first.
CLAIM, OPEN, ASK, CLOSED = range(4)


def verdict(reservations, evse, token, group):
    """(one of the four above, the Reservation or None) for a token at an EVSE where nobody charges.

    `token` and `group` as (id_token, type); `group` is None where it is not known or there is none.
    """
    reservation = reservations.claim(evse, token, group)
    if reservation:
        return CLAIM, reservation
    if not reservations.closed(evse):
        return OPEN, None
    if group is None and reservations.group_decides(evse):
        return ASK, None
    return CLOSED, None


def choose(site, reservations, token, group=None):
    """The EVSE that is meant by a token without an EVSE, or None: one reader, or a remote start, serves them all.

    Where the token charges already; then where it has a reservation of its own; then where a cable waits; then a free
    one, a reserved one of a group last.
    """
    best = None
    best_rank = 9
    for evse in site.evses:
        rank = _rank(site, reservations, evse, token, group)
        if rank < best_rank:
            best, best_rank = evse, rank
    return best


def _rank(site, reservations, evse, token, group):
    if evse.authorization is not None:
        return 0 if same_token(evse.authorization.token, token) else 9
    if not (site.in_service(evse) and site.operative_target(evse)):
        return 9
    what, reservation = verdict(reservations, evse, token, group)
    if what == CLAIM and reservation.evse_id is not None:
        return 1
    if what == CLOSED:
        return 9
    return 2 * what + (3 if evse.plugged is None else 2)
