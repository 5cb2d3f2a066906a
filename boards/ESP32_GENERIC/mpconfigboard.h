// A module or board with an ESP32 and 4 MiB of flash, connected over Wi-Fi.

#define MICROPY_HW_BOARD_NAME               "Holdfast on a generic ESP32"
#define MICROPY_HW_MCU_NAME                 "ESP32"

#define MICROPY_PY_BLUETOOTH                (0)
#define MICROPY_PY_NETWORK_LAN              (0)

// The partition `romfs`, where _boot.py looks for an agent that is newer than the frozen one.
#define MICROPY_VFS_ROM                     (1)
