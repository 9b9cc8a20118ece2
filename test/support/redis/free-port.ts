import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

// Below the ports that systems give to outgoing connections: nobody takes the port of a killed server by chance.
const LOWEST = 12_000;
const HIGHEST = 22_000;
/** Distance from a cluster node's port to the port of its bus, as Redis fixes it. */
const BUS_OFFSET = 10_000;
const TRIES = 100;

/**
 * A loopback port that is free now, with a free cluster bus port above it. Another process may take it before its user
 * does: who binds it tries again with another.
 *
 * @throws Error after 100 ports that were taken
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < TRIES; tries++) {
    const port = randomInt(LOWEST, HIGHEST);
    if ((await isFree(port)) && (await isFree(port + BUS_OFFSET))) return port;
  }
  throw new Error(`none of ${TRIES} ports between ${LOWEST} and ${HIGHEST} is free`);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  server.listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch {
    return false;
  }
  server.close();
  await once(server, 'close');
  return true;
}
