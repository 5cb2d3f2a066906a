# Holdfast: every command a newcomer needs. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
WASM := tools/wasm/node_modules/.ready
BROWSER := tools/browser/node_modules/.ready

# Any MicroPython unix binary can stand in for the one from PyPI: make test MICROPYTHON=/path/to/micropython
MICROPYTHON ?= $(CURDIR)/$(BIN)/micropython
export MICROPYTHON

ID ?= HOLDFAST-1
URL ?=
SECONDS ?= 60
PORT ?=
PORTS = { echo "serial ports here:"; $(BIN)/python -m serial.tools.list_ports 2>&1; exit 2; }
PORT_WANTED = test -n "$(PORT)" || { echo "usage: make $@ PORT=/dev/ttyUSB0"; $(PORTS); }
FLASH_WANTED = test -n "$(PORT)" || { echo "usage: make $@ BOARD=ESP32_GENERIC PORT=/dev/ttyUSB0"; $(PORTS); }
FILE_WANTED = test -n "$(PORT)" -a -n "$(FILE)" || { echo "usage: make $@ PORT=/dev/ttyUSB0 FILE=station.zip"; $(PORTS); }

.PHONY: help setup run test fuzz csms station board size firmware types lint clean \
	flash deploy provision console logs backup restore

help:  ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 12

setup: $(READY) $(WASM) $(BROWSER)  ## install what the desk needs, pinned, into .venv, tools/wasm and tools/browser

$(READY): requirements.txt
	@echo "holdfast: installing the pinned requirements into $(VENV) (once, about a minute)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "holdfast needs Python 3.11 or newer")'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(WASM): tools/wasm/package.json tools/wasm/package-lock.json
	@echo "holdfast: installing the 32-bit MicroPython that measures memory (npm, once)"
	@command -v npm >/dev/null || { echo "holdfast needs node and npm for the memory figures"; exit 1; }
	@cd tools/wasm && npm ci --silent --no-audit --no-fund
	@touch $@

$(BROWSER): tools/browser/package.json tools/browser/package-lock.json
	@echo "holdfast: installing a Chromium without windows, which tests the installer's page (npm, once, 80 MB)"
	@cd tools/browser && npm ci --silent --no-audit --no-fund && touch $(abspath $@) \
	  || echo "holdfast: no Chromium: its test is skipped"

run: $(READY)  ## play the reservation story: a development CSMS and a virtual charger, end to end
	@$(BIN)/python -m tools.story

test: setup lint  ## everything CI runs
	@$(BIN)/python -m pytest -n 2 --dist loadgroup host_tests

fuzz: $(READY)  ## throw generated and mutated input at the station; SECONDS=60
	@$(BIN)/python -m tools.fuzz --seconds $(SECONDS)

csms: $(READY)  ## the development CSMS alone; ADDRESS=this computer's, for boards; TLS=directory for wss://; PASSWORD=…
	@$(BIN)/python -m tools.csms $(if $(ADDRESS),--host $(ADDRESS)) $(if $(TLS),--tls $(TLS)) $(if $(PASSWORD),--password "$(PASSWORD)")

station: $(READY)  ## the virtual charger alone, against any CSMS: make station URL=ws://host:port/path ID=name
	@test -n "$(URL)" || { echo "usage: make station URL=ws://host:port/path ID=$(ID)"; exit 2; }
	@$(BIN)/python -m tools.charger --url "$(URL)" --id "$(ID)" $(if $(TLS),--tls $(TLS))

board: $(READY)  ## the virtual board alone; prints the serial port that mpremote connects to
	@$(BIN)/python -m tools.virtual_board

size: setup  ## .mpy bytes, heap on 32 bits, flash operations, as a table
	@$(BIN)/python -m tools.size

firmware: $(READY)  ## build the image of a board: make firmware BOARD=name MICROPYTHON_SRC=… IDF_PATH=…
	@MICROPYTHON_SRC="$(MICROPYTHON_SRC)" IDF_PATH="$(IDF_PATH)" $(BIN)/python -m tools.firmware $(BOARD)

flash: $(READY)  ## the image onto a board, with esptool: make flash BOARD=… PORT=… [IMAGE=file] [ERASE=1]
	@$(FLASH_WANTED)
	@$(BIN)/python -m tools.flash "$(BOARD)" $(PORT) $(if $(IMAGE),--image "$(IMAGE)") $(if $(ERASE),--erase)

deploy: $(READY)  ## the agent onto a board, only what changed, into ROMFS or as .mpy files: make deploy PORT=…
	@$(PORT_WANTED)
	@$(BIN)/python -m tools.deploy $(PORT) $(if $(FORCE),--force)

provision: $(READY)  ## tell a board who it is: make provision PORT=… [FILE=site.json] [BOARD=…]
	@$(PORT_WANTED)
	@$(BIN)/python -m tools.provision $(PORT) $(if $(FILE),--file "$(FILE)") $(if $(BOARD),--board $(BOARD)) $(if $(FORCE),--force)

console: $(READY)  ## the console of a board, by mpremote; Ctrl-] leaves it: make console PORT=…
	@$(PORT_WANTED)
	@$(BIN)/mpremote connect $(PORT) repl || $(PORTS)

logs: $(READY)  ## follow the log of a board: make logs PORT=… [LEVEL=warning]
	@$(PORT_WANTED)
	@$(BIN)/python -m tools.serial_console $(PORT) $(if $(LEVEL),--level $(LEVEL))

backup: $(READY)  ## the records of a station into a file: make backup PORT=… FILE=station.zip
	@$(FILE_WANTED)
	@$(BIN)/python -m tools.records backup $(PORT) "$(FILE)" $(if $(FORCE),--force)

restore: $(READY)  ## and back onto a board, all of them or none: make restore PORT=… FILE=station.zip
	@$(FILE_WANTED)
	@$(BIN)/python -m tools.records restore $(PORT) "$(FILE)" $(if $(FORCE),--force)

types: $(READY)  ## the firmware against the type stubs of MicroPython on ESP32
	@$(BIN)/python -m tools.stub_types

lint: $(READY)  ## style, and the rules of the house
	@$(BIN)/ruff check firmware host_tests tools

clean:  ## remove what the commands made
	@rm -rf $(VENV) build tools/wasm/node_modules tools/browser/node_modules .pytest_cache .hypothesis .ruff_cache
