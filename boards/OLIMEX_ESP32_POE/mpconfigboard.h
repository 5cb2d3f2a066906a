// Olimex ESP32-POE and ESP32-POE-ISO with an ESP32-WROOM module, connected over Ethernet.

#define MICROPY_HW_BOARD_NAME               "Holdfast on an Olimex ESP32-POE"
#define MICROPY_HW_MCU_NAME                 "ESP32"

#define MICROPY_PY_BLUETOOTH                (0)
// The pins of the microSD slot are the station's LED, lock and pilot.
#define MICROPY_HW_ENABLE_SDCARD            (0)

// The partition `romfs`, where _boot.py looks for an agent that is newer than the frozen one.
#define MICROPY_VFS_ROM                     (1)
