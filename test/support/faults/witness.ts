import { createClient } from '@redis/client';
import { poll } from '../redis/poll.js';
import type { Reply } from '../redis/redis-command.js';

/** Milliseconds: what is measured from then on is not to be seen as shorter than it is. */
const LOOK_EVERY = 10;
const NEVER = 30_000;

/**
 * Waits until an answer shows what was waited for. On one connection, so that looking often is not a load of its own.
 *
 * @throws Error after 30 seconds
 */
export async function witness(
  url: string,
  command: readonly string[],
  shows: (answer: string) => boolean,
): Promise<void> {
  const client = createClient({ url });
  client.on('error', () => undefined);
  await client.connect();
  const isSeen = async () => shows(String(await client.sendCommand<Reply>(command))) || undefined;
  try {
    await poll(`${command.join(' ')} of ${url} to change`, isSeen, NEVER, LOOK_EVERY);
  } finally {
    client.destroy();
  }
}
