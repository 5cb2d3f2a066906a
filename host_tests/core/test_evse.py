"""EVSEs: the status of a connector as a function of facts, over every combination of them."""

from holdfast.evse import Site

FACTS = ("fault", "station_off", "evse_off", "connector_off", "transaction", "reserved", "authorized", "plugged")


def status(**facts):
    """The status of connector 1 of an EVSE with two connectors where these facts hold."""
    site = Site((("cCCS2", "cType2"),))
    evse = site.evses[0]
    evse.fault = "GroundFault" if facts.get("fault") else None
    site.operative = not facts.get("station_off")
    evse.operative = not facts.get("evse_off")
    evse.connectors[0].operative = not facts.get("connector_off")
    evse.transaction = facts.get("transaction") or None
    evse.authorization = facts.get("authorized") or None
    evse.plugged = facts.get("plugged") or None
    return site.status(evse, evse.connectors[0], facts.get("reserved", False))


def combinations(names):
    """Every dict of these names with 0 or 1."""
    for bits in range(1 << len(names)):
        yield {name: bits >> i & 1 for i, name in enumerate(names)}


def test_nothing_special_is_available():
    assert status() == "Available"


def test_a_cable_makes_it_occupied():
    assert status(plugged=1) == "Occupied"


def test_a_cable_in_the_sibling_changes_nothing():
    """G01.FR.08."""
    assert status(plugged=2) == "Available"
    assert status(plugged=2, transaction=1, authorized=1) == "Available"


def test_a_token_without_a_cable_is_available():
    """H03.FR.10."""
    assert status(authorized=1) == "Available"
    assert status(authorized=1, transaction=1) == "Available"


def test_reserved_stays_reserved_when_a_cable_comes():
    """G01.FR.09, G03.FR.09."""
    assert status(reserved=1) == "Reserved"
    assert status(reserved=1, plugged=1) == "Reserved"
    assert status(reserved=1, plugged=1, transaction=1) == "Reserved"


def test_the_holder_makes_it_occupied_or_available():
    assert status(reserved=1, authorized=1, plugged=1) == "Occupied"
    assert status(reserved=1, authorized=1) == "Available"


def test_a_fault_is_before_everything():
    for facts in combinations(FACTS):
        assert (status(**facts) == "Faulted") == bool(facts["fault"]), facts


def test_out_of_service_is_next_and_waits_for_the_transaction():
    """G03.FR.05, G04.FR.06: Unavailable as soon as no transaction runs."""
    for facts in combinations(FACTS[1:]):
        off = (facts["station_off"] or facts["evse_off"] or facts["connector_off"]) and not facts["transaction"]
        assert (status(**facts) == "Unavailable") == bool(off), facts


def test_the_status_table_in_full():
    """A second opinion on every combination of facts."""
    for facts in combinations(FACTS):
        if facts["fault"]:
            expected = "Faulted"
        elif not facts["transaction"] and (facts["station_off"] or facts["evse_off"] or facts["connector_off"]):
            expected = "Unavailable"
        elif facts["reserved"] and not facts["authorized"]:
            expected = "Reserved"
        elif facts["plugged"]:
            expected = "Occupied"
        else:
            expected = "Available"
        assert status(**facts) == expected, facts


def test_ids_count_from_one_without_gaps():
    site = Site((("cCCS2", "cType2"), ("sType2",), ("cType1", "cType1", "cType1")))
    assert [evse.id for evse in site.evses] == [1, 2, 3]
    assert [[c.id for c in evse.connectors] for evse in site.evses] == [[1, 2], [1], [1, 2, 3]]


def test_what_does_not_exist_is_none():
    site = Site((("cCCS2", "cType2"),))
    for evse_id in (0, 2, -1, None, "1"):
        assert site.evse(evse_id) is None
    for connector_id in (0, 3, -1, None):
        assert site.evses[0].connector(connector_id) is None


def test_usable_types_are_those_of_operative_connectors():
    evse = Site((("cCCS2", "cType2"),)).evses[0]
    assert evse.usable_types("cType2") and evse.usable_types(None) and not evse.usable_types("sType2")
    evse.connectors[1].operative = False
    assert evse.has_type("cType2") and not evse.usable_types("cType2") and evse.usable_types(None)
    evse.connectors[0].operative = False
    assert not evse.usable_types(None)


def test_an_evse_whose_connectors_are_all_off_is_out_of_service():
    site = Site((("cCCS2", "cType2"),))
    evse = site.evses[0]
    evse.connectors[0].operative = False
    assert site.in_service(evse)
    evse.connectors[1].operative = False
    assert not site.in_service(evse)


def test_a_running_transaction_keeps_an_evse_in_service():
    site = Site((("cCCS2",),))
    evse = site.evses[0]
    evse.transaction = 1
    site.operative = False
    assert site.in_service(evse) and not site.operative_target(evse)
    evse.fault = "GroundFault"
    assert not site.in_service(evse)


def test_an_evse_waits_for_its_holder_while_nobody_is_there():
    evse = Site((("cCCS2",),)).evses[0]
    assert evse.waits_for_holder()
    evse.plugged = 1
    assert not evse.waits_for_holder()
    evse.shut_in = True  # the cable came while the EVSE was Reserved
    assert evse.waits_for_holder()
    evse.authorization = 1
    assert not evse.waits_for_holder()
