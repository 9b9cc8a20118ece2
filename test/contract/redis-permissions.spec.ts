import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { StampPosition } from '../../libs/caching/src/cache/stamps.js';
import { RedisNames } from '../../libs/caching/src/stores/redis/redis-names.js';
import { redis, type RedisTier } from '../../libs/caching/src/stores/redis/redis.store.js';
import { poll } from '../support/redis/poll.js';
import { type RedisServer, startRedis } from '../support/redis/redis-server.js';
import { openTiered } from '../support/redis/tiered.js';
import { tierHost } from '../support/tier-host.js';

let server: RedisServer;

beforeAll(async () => {
  server = await startRedis();
});

afterAll(() => server.close());

/** A user with these rules, and the way in with it. */
async function userWith(on: RedisServer, ...rules: string[]): Promise<string> {
  await on.command('ACL', 'SETUSER', 'app', 'reset', 'on', '>secret', '~*', ...rules);
  return on.url.replace('redis://', 'redis://app:secret@');
}

interface Opened {
  readonly tier: RedisTier;
  readonly names: RedisNames;
  readonly caveats: string[];
  readonly heard: StampPosition[];
}

async function open(url: string): Promise<Opened> {
  const namespace = `allowed-${randomUUID().slice(0, 13)}`;
  const tier = redis({ url });
  const caveats: string[] = [];
  const heard: StampPosition[] = [];
  onTestFinished(() => tier.close());
  tier.open(
    tierHost(namespace, {
      onEviction: (position) => heard.push(position),
      onCaveat: (caveat) => caveats.push(caveat),
    }),
  );
  await poll('the tier to be ready', () => tier.sync(undefined));
  return { tier, names: new RedisNames(namespace), caveats, heard };
}

describe('redis() as the user that the documentation makes', () => {
  it('does all that it has to, and has nothing to warn of', async () => {
    const { tier, caveats, heard } = await open(
      await userWith(
        server,
        ...'resetkeys ~allowed-* ~{allowed-* resetchannels &allowed-* +@all -@dangerous +info'.split(' '),
      ),
    );
    await tier.set('a', Buffer.from('a'), 60_000);
    expect(String((await tier.lookup('a')).frame)).toBe('a');
    await poll('an eviction to be heard of', async () => {
      await tier.evict(['t:1']);
      return heard.length > 0 || undefined;
    });
    expect(await tier.lease('a', 'token', 1_000)).toBe('ours');
    await tier.release('a', 'token');
    await tier.values.set('value', 'ours', 60_000);
    await tier.values.clear();
    expect(await tier.values.get('value')).toBeUndefined();
    expect(caveats).toEqual([]);
  });
});

describe('redis() as a user who may not ask whose history it is', () => {
  const RULES = ['&*', '+@all', '-@dangerous'] as const;

  it('says so once, and what to allow', async () => {
    const { tier, caveats } = await open(await userWith(server, ...RULES));
    for (let times = 0; times < 3; times++) {
      await tier.evict(['t:1']);
      await tier.sync(undefined);
    }
    expect(caveats).toEqual([expect.stringMatching(/may not run INFO.*ACL SETUSER <user> \+info/)]);
  });

  it('goes on in one epoch while the server runs', async () => {
    const { tier } = await open(await userWith(server, ...RULES));
    const first = await tier.evict(['t:1']);
    expect(await tier.evict(['t:2'])).toEqual({ ...first, n: first.n + 1 });
    expect((await tier.sync(first)).position.epoch).toBe(first.epoch);
  });

  it('takes nothing for current that a restarted server brought back', async () => {
    await using restarted = await startRedis();
    const connection = { url: await userWith(restarted, ...RULES) };
    const kind = { connection, coherence: 'strict', memory: true } as const;
    const one = await openTiered(kind);
    const { namespace } = one;
    await one.store.evict(['t:other']);
    await one.put('a', { tags: ['t:1'] });
    await restarted.command('SAVE');
    await one.store.evict(['t:1']);
    expect(await one.read('a')).toBeUndefined();
    // Whoever remembers would say that there was more: here nobody is left who does.
    await one.store.close();
    await restarted.restart();
    await userWith(restarted, ...RULES);
    expect(await restarted.command('EXISTS', new RedisNames(namespace).view('a'))).toBe(1);
    const fresh = await openTiered({ ...kind, namespace });
    onTestFinished(() => fresh.store.close());
    expect(await fresh.read('a')).toBeUndefined();
  });
});

describe('redis() as a user who may not publish', () => {
  it('evicts all the same, and says once that nobody is told', async () => {
    const { tier, names, caveats, heard } = await open(
      await userWith(server, 'resetchannels', '&other', '+@all'),
    );
    const first = await tier.evict(['t:1']);
    expect(await tier.evict(['t:2'])).toEqual({ ...first, n: first.n + 1 });
    expect(heard).toEqual([]);
    expect(caveats).toEqual([expect.stringContaining(`ACL SETUSER <user> &${names.channel}`)]);
  });
});
