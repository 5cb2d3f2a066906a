"""Protocol: one file per OCPP functional block, each with its payload rules and its handlers."""
