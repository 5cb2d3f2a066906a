// Run scripts on the 32-bit MicroPython that npm brings: node run.mjs SCRIPT.py... FILE...
//
// The scripts run one after the other in the same namespace; they find the FILEs in the root of their file system. What
// they print goes to standard output; an exception goes to standard error, and the exit code is then 1.
//
// This MicroPython cannot see its own stack, so it collects garbage only when no Python runs: gc.collect() merely asks
// for it. That is why each script defines a generator `steps`, which is run to its end with a collection at each yield.

import fs from 'node:fs';
import path from 'node:path';
import { loadMicroPython } from '@micropython/micropython-webassembly-pyscript';

// Far more than is measured, so that the heap never has to grow while it is.
const HEAP = 4 * 1024 * 1024;

const isScript = name => name.endsWith('.py');
const scripts = process.argv.slice(2).filter(isScript);
const files = process.argv.slice(2).filter(name => !isScript(name));
const micropython = await loadMicroPython({ heapsize: HEAP, linebuffer: true, stdout: line => console.log(line) });
// Emscripten has error numbers of its own; boards have the usual ones.
const ENOENT = { emscripten: 44, usual: 2 };
for (const name of ['open', 'unlink', 'stat', 'rename']) {
  const original = micropython.FS[name];
  micropython.FS[name] = (...parameters) => {
    try {
      return original(...parameters);
    } catch (error) {
      if (error.errno === ENOENT.emscripten)
        error.errno = ENOENT.usual;
      throw error;
    }
  };
}
for (const file of files)
  micropython.FS.writeFile('/' + path.basename(file), fs.readFileSync(file));
try {
  for (const script of scripts) {
    micropython.runPython(fs.readFileSync(script, 'utf8') + '\nfinished = 0\nrunning = steps()');
    while (!micropython.globals.get('finished'))
      micropython.runPython('finished = next(running, 1)\ngc.collect()');
  }
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
