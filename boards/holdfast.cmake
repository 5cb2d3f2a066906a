# What all Holdfast boards share, included by each mpconfigboard.cmake after the port's own settings for the chip.

# The station speaks to its CSMS over Wi-Fi or Ethernet only. Without Bluetooth the image is smaller and its stack
# leaves its memory to TLS; MICROPY_PY_BLUETOOTH in mpconfigboard.h is the other half of this.
list(REMOVE_ITEM SDKCONFIG_DEFAULTS boards/sdkconfig.ble)

# A partition table outside of MicroPython's tree has to be named by its full path, which a sdkconfig file cannot spell.
file(WRITE ${CMAKE_BINARY_DIR}/sdkconfig.partitions
    "CONFIG_PARTITION_TABLE_CUSTOM=y\n"
    "CONFIG_PARTITION_TABLE_CUSTOM_FILENAME=\"${MICROPY_BOARD_DIR}/partitions.csv\"\n"
)

list(APPEND SDKCONFIG_DEFAULTS
    ${MICROPY_BOARD_DIR}/../sdkconfig.holdfast
    ${MICROPY_BOARD_DIR}/sdkconfig.board
    ${CMAKE_BINARY_DIR}/sdkconfig.partitions
)

set(MICROPY_FROZEN_MANIFEST ${MICROPY_BOARD_DIR}/manifest.py)
