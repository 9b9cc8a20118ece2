import assert from 'node:assert/strict';
import type { StampDelta } from '../cache/shared-log.js';
import { ODD_TAGS } from './eviction-promises.js';
import type { OpenedTiers } from './opened-tiers.js';
import type { Chapter } from './promises.js';

/** The sequence of evictions. */
export const TIER_SEQUENCE_PROMISES: Chapter<OpenedTiers> = {
  'counts evictions up, one by one, in one epoch, whoever asks for them': async (tiers) => {
    const one = await tiers.open();
    const { epoch, n } = (await one.tier.sync(undefined)).position;
    assert.deepEqual(await one.tier.evict(['t:1']), { epoch, n: n + 1 });
    assert.deepEqual(await one.tier.evict([]), { epoch, n: n + 2 });
    const two = await tiers.openNext(one);
    assert.deepEqual(await two.tier.evict(['t:1', 't:2']), { epoch, n: n + 3 });
  },

  'tells where the sequence stands with each look-up, and by itself': async (tiers) => {
    const { tier } = await tiers.open();
    await tier.set('a', Buffer.from('a'), 60_000);
    for (let times = 0; times < 3; times++) {
      const evicted = await tier.evict(['t:1']);
      assert.deepEqual((await tier.lookup('a')).position, evicted);
      assert.deepEqual((await tier.lookup('never')).position, evicted);
      assert.deepEqual(await tier.position(), evicted);
      assert.deepEqual((await tier.sync(evicted)).position, evicted);
    }
  },

  'tells which tags were evicted since a position, each once, in ascending order': async (tiers) => {
    const one = await tiers.open();
    await one.tier.evict(['t:before']);
    const known = await one.tier.evict(['t:known']);
    await one.tier.evict(['t:1', 't:2']);
    await one.tier.evict(['t:3']);
    const last = await one.tier.evict(['t:1']);
    const two = await tiers.openNext(one);
    const { position, floor, stamps } = await two.tier.sync(known);
    assert.deepEqual(position, last);
    assert.ok(floor <= known.n, 'what is known was not dropped');
    assert.deepEqual(stamps, [
      ['t:2', known.n + 1],
      ['t:3', known.n + 2],
      ['t:1', known.n + 3],
    ]);
    assert.deepEqual((await two.tier.sync(last)).stamps, []);
  },

  'tells all that it knows to who knows nothing, or another epoch': async (tiers) => {
    const { tier } = await tiers.open();
    const { n } = await tier.evict(['t:1']);
    await tier.evict(['t:2']);
    for (const known of [undefined, { epoch: 'another', n: 1_000_000 }]) {
      const delta = await tier.sync(known);
      assert.equal(isToldOf(delta, 't:1', n), true);
      assert.equal(isToldOf(delta, 't:2', n + 1), true);
    }
  },

  'tells of tags as they were given, whatever they are made of': async (tiers) => {
    const one = await tiers.open();
    const places: [tag: string, n: number][] = [];
    for (const tag of [...ODD_TAGS, `t:${'x'.repeat(20_000)}`])
      places.push([tag, (await one.tier.evict([tag])).n]);
    const two = await tiers.openNext(one);
    const delta = await two.tier.sync(undefined);
    for (const [tag, n] of places)
      assert.ok(isToldOf(delta, tag, n), `nobody is told of ${JSON.stringify(tag.slice(0, 40))}`);
  },

  'gives many evictions at once places of their own, and tells of each': async (tiers) => {
    const one = await tiers.open();
    const known = await one.tier.evict(['t:known']);
    const tags = Array.from({ length: 100 }, (_, at) => `t:${at}`);
    const evictions = tags.map(async (tag) => ({ tag, n: (await one.tier.evict([tag])).n }));
    const places = await Promise.all(evictions);
    const ascending = places.map(({ n }) => n).sort((a, b) => a - b);
    assert.deepEqual(
      ascending,
      tags.map((_, at) => known.n + at + 1),
    );
    const two = await tiers.openNext(one);
    const delta = await two.tier.sync(known);
    for (const { tag, n } of places) assert.equal(isToldOf(delta, tag, n), true, tag);
  },

  'can be opened again after it was closed, and goes on': async (tiers) => {
    const one = await tiers.open();
    const known = await one.tier.evict(['t:1']);
    await one.tier.set('a', Buffer.from('a'), 60_000);
    const again = await tiers.reopen(one);
    assert.deepEqual((await again.tier.sync(known)).position, known);
    assert.equal(String((await again.tier.lookup('a')).frame), 'a');
    assert.deepEqual(await again.tier.evict(['t:2']), { ...known, n: known.n + 1 });
  },

  'begins another epoch where the sequence was lost': async (tiers) => {
    const one = await tiers.open();
    const known = await one.tier.evict(['t:1']);
    await one.tier.set('a', Buffer.from('a'), 60_000);
    await tiers.storage.loseSequence(tiers.namespace);
    const two = await tiers.openNext(one);
    const { position } = await two.tier.sync(known);
    assert.notEqual(position.epoch, known.epoch);
    const evicted = await two.tier.evict(['t:2']);
    assert.equal(evicted.epoch, position.epoch);
    assert.deepEqual((await two.tier.lookup('a')).position, evicted);
  },
};

/** Whether whoever takes over `delta` knows that `tag` was evicted at `n`. A floor above it says so of every tag. */
function isToldOf({ floor, stamps }: StampDelta, tag: string, n: number): boolean {
  return floor >= n || stamps.some(([told, at]) => told === tag && at === n);
}
