import { createSentinel as createSentinel5 } from '@redis/client';
import { createSentinel as createSentinel6 } from 'redis-6';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../libs/caching/src/cache/clock.js';
import { createRedisLink } from '../../libs/caching/src/stores/redis/create-redis-link.js';
import type { NodeRedisSentinel } from '../../libs/caching/src/stores/redis/node-redis.js';
import type { RedisLink } from '../../libs/caching/src/stores/redis/redis-link.js';
import { poll } from '../support/redis/poll.js';
import { type SentinelGroup, startSentinel } from '../support/redis/redis-sentinel.js';
import { RedisLinkLoad } from '../support/redis-link-load.js';

const TIMEOUT_MS = 100;
/** From when the sentinels have promoted a replica. */
const RECOVERY_MS = 4_000;

interface GivenSentinel {
  readonly client: NodeRedisSentinel;
  close(): unknown;
}

function bySentinel5({ name, rootNodes }: SentinelGroup): GivenSentinel {
  const client = createSentinel5({ name, sentinelRootNodes: [...rootNodes] });
  client.on('error', () => undefined);
  // This major can't duplicate it: it has to be connected.
  const connected = client.connect();
  return { client, close: () => connected.then(() => client.destroy()) };
}

function bySentinel6({ name, rootNodes }: SentinelGroup): GivenSentinel {
  return { client: createSentinel6({ name, sentinelRootNodes: [...rootNodes] }), close: () => undefined };
}

describe('the link to a Redis behind sentinels', () => {
  let group: SentinelGroup;
  let link: RedisLink;
  let given: GivenSentinel;

  beforeAll(async () => {
    group = await startSentinel();
  });

  afterEach(async () => {
    await link.close();
    await given.close();
  });

  afterAll(() => group.close());

  it.each([
    ['node-redis 5', bySentinel5],
    ['node-redis 6', bySentinel6],
  ] as const)('sends to the master, and is back within 4 s of a failover, by %s', async (_name, give) => {
    await group.waitForOk({ replicas: 1 });
    given = give(group);
    link = createRedisLink(
      { client: given.client },
      { clock: systemClock, timeout: TIMEOUT_MS, onError: () => undefined },
    );
    link.open();
    const bytes = Buffer.from([0, 13, 10, 128, 255]);
    await poll('the master', () => link.send('bytes', ['SET', 'bytes', bytes]));
    expect(await link.send('bytes', ['GET', 'bytes'])).toEqual(bytes);
    const heard: string[] = [];
    const hearing: boolean[] = [];
    link.subscribe(
      'news',
      (message) => heard.push(message),
      (hears) => hearing.push(hears),
    );
    await poll('the subscription', async () => hearing.at(-1) === true || undefined);
    const load = await RedisLinkLoad.start(link);
    const master = await group.master();
    await master.kill();
    await group.waitForOk();
    expect(await load.recovered(10_000)).toBeLessThan(RECOVERY_MS);
    await load.stop();
    expect(load.median).toBeLessThan(TIMEOUT_MS);
    expect(load.wrong).toBe(0);
    await poll('it to hear again', async () => hearing.at(-1) === true || undefined, RECOVERY_MS);
    await link.send('news', ['PUBLISH', 'news', 'again']);
    await poll('the message', async () => heard[0]);
    await master.restart();
  });
});
