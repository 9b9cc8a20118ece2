import { createServer } from 'node:net';
import { createClient } from 'redis';
import { expect, it, onTestFinished } from 'vitest';
import { NodeConnection } from '../../libs/caching/src/stores/redis/node-connection.js';
import type { ServerClient } from '../../libs/caching/src/stores/redis/node-redis.js';
import { FakeClock } from '../support/fake-clock.js';
import { eventually } from '../support/gate.js';

it('a connection that comes too late is ended, and leaves no rejection that nobody handles', async () => {
  const unhandled: unknown[] = [];
  const note = (error: unknown) => unhandled.push(error);
  process.on('unhandledRejection', note);
  onTestFinished(() => void process.off('unhandledRejection', note));
  let closed = 0;
  const server = createServer((socket) => {
    socket.on('error', () => undefined).on('close', () => closed++);
    socket.resume();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as { port: number };
  const clock = new FakeClock();
  const dial = async () =>
    createClient({
      socket: { host: '127.0.0.1', port, reconnectStrategy: false },
    }) as unknown as ServerClient;
  const opening = NodeConnection.open(
    clock,
    dial,
    async () => undefined,
    () => {
      queueMicrotask(() => clock.advance(1_000));
    },
  );
  await expect(opening).rejects.toThrow('no connection within 1000 ms');
  await eventually(() => closed === 1, 'the end of the connection');
  await new Promise((resolve) => setImmediate(resolve));
  expect(unhandled).toEqual([]);
});
