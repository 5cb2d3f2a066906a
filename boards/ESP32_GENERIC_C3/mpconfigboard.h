// A module or board with an ESP32-C3 and 4 MiB of flash, connected over Wi-Fi.

#define MICROPY_HW_BOARD_NAME               "Holdfast on a generic ESP32-C3"
#define MICROPY_HW_MCU_NAME                 "ESP32C3"

#define MICROPY_PY_BLUETOOTH                (0)
#define MICROPY_PY_NETWORK_LAN              (0)
#define MICROPY_HW_ENABLE_SDCARD            (0)
#define MICROPY_PY_MACHINE_I2S              (0)

// The console is on UART0 and on the chip's own USB: boards of this kind have one or the other.
#define MICROPY_HW_ENABLE_UART_REPL         (1)

// The partition `romfs`, where _boot.py looks for an agent that is newer than the frozen one.
#define MICROPY_VFS_ROM                     (1)
