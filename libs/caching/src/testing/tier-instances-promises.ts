import assert from 'node:assert/strict';
import type { Lease, SharedTier } from '../stores/shared-tier.js';
import type { OpenedTiers } from './opened-tiers.js';
import type { Chapter } from './promises.js';
import { until } from './until.js';

const LIFE = 60_000;

/** Several instances at the same time. */
export const TIER_INSTANCES_PROMISES: Chapter<OpenedTiers> = {
  'tells every instance of an eviction, its place and its tags, in order': async (tiers) => {
    const one = await tiers.open();
    const two = await tiers.open();
    const first = await one.tier.evict(['t:1', 't:é\n"']);
    const second = await two.tier.evict([]);
    const third = await one.tier.evict(['t:2']);
    for (const { heard } of [one, two]) {
      await until('three evictions are heard of', async () => heard.length >= 3);
      assert.deepEqual(heard, [
        { position: first, tags: ['t:1', 't:é\n"'] },
        { position: second, tags: [] },
        { position: third, tags: ['t:2'] },
      ]);
    }
  },

  'tells every instance of an eviction that is too long to be told': async (tiers) => {
    const one = await tiers.open();
    const two = await tiers.open();
    const tags = Array.from({ length: 5_000 }, (_, at) => `t:a rather long name of a tag ${at}`);
    const { epoch, n } = await one.tier.evict(tags);
    await until('the eviction is heard of', async () => two.heard.length > 0);
    const [heard] = two.heard;
    assert.deepEqual(heard?.position, { epoch, n });
    const told = heard?.tags ?? (await two.tier.sync({ epoch, n: n - 1 })).stamps.map(([tag]) => tag);
    assert.deepEqual(new Set(told), new Set(tags));
  },

  'gives evictions of several instances at once places of their own': async (tiers) => {
    const all = await Promise.all([tiers.open(), tiers.open(), tiers.open()]);
    const known = await all[0].tier.evict([]);
    const evictions = Array.from({ length: 90 }, async (_, at) => {
      const { tier } = all[at % all.length] as (typeof all)[number];
      return (await tier.evict([`t:${at}`])).n;
    });
    const places = (await Promise.all(evictions)).sort((a, b) => a - b);
    assert.deepEqual(
      places,
      places.map((_, at) => known.n + at + 1),
    );
  },

  'tells of no place before all that was evicted up to it can be asked for': async (tiers) => {
    const [one, two] = await Promise.all([tiers.open(), tiers.open()]);
    let known = await one.tier.evict([]);
    const writing = (async () => {
      for (let at = 0; at < 50; at++) await one.tier.evict([`t:${at}`]);
    })();
    for (let times = 0; times < 50; times++) {
      const { position } = await two.tier.lookup('a');
      assert.ok(position !== undefined && position.n >= known.n, 'the sequence went back');
      const delta = await two.tier.sync(known);
      assert.ok(delta.position.n >= position.n);
      assert.equal(delta.stamps.length, delta.position.n - known.n);
      known = delta.position;
    }
    await writing;
  },

  'begins another epoch when it is asked by one who has seen more than there is': async (tiers) => {
    const [one, two] = await Promise.all([tiers.open(), tiers.open()]);
    const first = await one.tier.evict(['t:1']);
    assert.deepEqual((await two.tier.sync(first)).position, first);
    const synced = (await two.tier.sync({ ...first, n: first.n + 1 })).position;
    assert.notEqual(synced.epoch, first.epoch);
    const second = await one.tier.evict(['t:1'], synced);
    assert.deepEqual(second, { ...synced, n: synced.n + 1 });
    const third = await one.tier.evict(['t:1'], { ...second, n: second.n + 1 });
    assert.notEqual(third.epoch, second.epoch);
    assert.deepEqual(await two.tier.position(), third);
  },

  'gives the right to fill a key to one that asks, and to the next when it is given back': async (tiers) => {
    const [one, two] = await Promise.all([tiers.open(), tiers.open()]);
    assert.equal(await lease(one.tier, 'a', 'token 1'), 'ours');
    assert.equal(await lease(two.tier, 'a', 'token 2'), 'theirs');
    assert.equal(await lease(two.tier, 'b', 'token 2'), 'ours');
    await two.tier.release?.('a', 'token 2');
    assert.equal(await lease(two.tier, 'a', 'token 2'), 'theirs');
    await one.tier.release?.('a', 'token 1');
    assert.equal(await lease(two.tier, 'a', 'token 2'), 'ours');
  },

  'gives the right to one of many that ask at once': async (tiers) => {
    const all = await Promise.all([tiers.open(), tiers.open()]);
    const asked = Array.from({ length: 40 }, (_, at) =>
      lease((all[at % 2] as (typeof all)[number]).tier, 'a', `token ${at}`),
    );
    const given = await Promise.all(asked);
    assert.deepEqual(
      given.filter((each) => each !== 'theirs'),
      ['ours'],
    );
  },

  'takes the right back when its time is over': async (tiers) => {
    const [one, two] = await Promise.all([tiers.open(), tiers.open()]);
    assert.equal(await lease(one.tier, 'a', 'token 1', 1_200), 'ours');
    assert.equal(await lease(two.tier, 'a', 'token 2'), 'theirs');
    await until('the lease is over', async () => (await lease(two.tier, 'a', 'token 2')) === 'ours');
    // The first holder is late: it has nothing to give back.
    await one.tier.release?.('a', 'token 1');
    assert.equal(await lease(one.tier, 'a', 'token 3'), 'theirs');
  },

  'remembers for a while that a response can not be shared, if its filler says so': async (tiers) => {
    const [one, two] = await Promise.all([tiers.open(), tiers.open()]);
    assert.equal(await lease(one.tier, 'a', 'token 1'), 'ours');
    await two.tier.release?.('a', 'token 2', LIFE);
    assert.equal(await lease(two.tier, 'a', 'token 2'), 'theirs');
    await one.tier.release?.('a', 'token 1', 1_200);
    assert.equal(await lease(two.tier, 'a', 'token 2'), 'uncacheable');
    assert.equal(await lease(one.tier, 'a', 'token 1'), 'uncacheable');
    await until('it is forgotten', async () => (await lease(two.tier, 'a', 'token 2')) === 'ours');
  },
};

async function lease(tier: SharedTier, key: string, token: string, life = LIFE): Promise<Lease | undefined> {
  return tier.lease?.(key, token, life);
}
