# What every Holdfast image carries frozen. A board's own manifest.py includes this file; MicroPython's build reads it.
#
# It does not include the port's boards/manifest.py, which freezes a _boot.py as this one does, and a name can be frozen
# only once. So what is needed is named here; without ESP-NOW, WebREPL and drivers of sensors there is also more room in
# a slot of 1.5 MiB.

metadata(description="Holdfast: an OCPP 2.0.1 charging-station agent", version="0.1.0")

# MicroPython's own asyncio, and the Python half of ssl, which asyncio's streams import when they are told ssl=True.
include("$(MPY_DIR)/extmod/asyncio")
require("ssl")

# Where the file system is: the port's flashbdev.py finds the partition called vfs, and _boot.py below mounts it.
freeze("$(PORT_DIR)/modules", ("flashbdev.py",))

# The agent. Level 2 drops asserts and keeps line numbers, which a crash report needs.
package("holdfast", base_path="../firmware", opt=2)
module("_boot.py", base_path="../firmware", opt=2)
module("boot.py", base_path="../firmware", opt=2)
module("main.py", base_path="../firmware", opt=2)
