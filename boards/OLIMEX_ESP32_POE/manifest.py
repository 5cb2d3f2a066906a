# The same for all boards: see there.
include("../manifest.py")
