// Ends the processes of a test run that died: see watchdog.ts. Its input closes when that run ends, however it ends.
import { rmSync } from 'node:fs';
import { createInterface } from 'node:readline';

/** Process id to its folder. */
const watched = new Map();

// Ctrl-C is for the run; this process leaves when the run has left.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => undefined);

createInterface({ input: process.stdin })
  .on('line', (line) => {
    const { pid, folder } = JSON.parse(line);
    if (folder === undefined) watched.delete(pid);
    else watched.set(pid, folder);
  })
  .on('close', () => {
    for (const pid of watched.keys()) kill(pid);
    for (const folder of watched.values()) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  });

function kill(pid) {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}
