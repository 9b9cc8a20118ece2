import assert from 'node:assert/strict';
import type { OpenedTiers } from './opened-tiers.js';
import type { Chapter } from './promises.js';
import { until } from './until.js';

const LIFE = 60_000;

const KEYS: readonly string[] = [
  '',
  'a',
  'A',
  'a:b',
  'a*',
  '[a]',
  '{a}',
  'a b\r\nc\0',
  'é',
  '🎈',
  '__proto__',
  '#',
  `${'long'.repeat(1_000)}1`,
  `${'long'.repeat(1_000)}2`,
];

/** Plain values beside entries. */
export const TIER_VALUES_PROMISES: Chapter<OpenedTiers> = {
  'gives a value back as it was set, to every instance': async (tiers) => {
    const one = await tiers.open();
    const texts = ['', 'null', '{"a":"é🎈\\u0000"}', 'x'.repeat(300_000)];
    for (const [at, text] of texts.entries()) await one.tier.values.set(`k${at}`, text, LIFE);
    const two = await tiers.openNext(one);
    for (const [at, text] of texts.entries())
      assert.ok((await two.tier.values.get(`k${at}`)) === text, `text ${at} came back as another`);
    assert.equal(await two.tier.values.get('never'), undefined);
    await two.tier.values.set('k0', 'changed', LIFE);
    assert.equal(await two.tier.values.get('k0'), 'changed');
  },

  'keeps keys of values apart that look alike, and all of them from entries': async (tiers) => {
    const { tier } = await tiers.open();
    for (const [at, key] of KEYS.entries()) await tier.values.set(key, `value ${at}`, LIFE);
    await tier.set('a', Buffer.from('an entry'), LIFE);
    for (const [at, key] of KEYS.entries())
      assert.equal(await tier.values.get(key), `value ${at}`, JSON.stringify(key.slice(0, 40)));
    await tier.values.delete('a');
    assert.equal(String((await tier.lookup('a')).frame), 'an entry');
  },

  'tells whether there is a value, and whether there was one to delete': async (tiers) => {
    const { tier } = await tiers.open();
    await tier.values.set('a', '', LIFE);
    assert.deepEqual([await tier.values.has('a'), await tier.values.has('b')], [true, false]);
    assert.deepEqual([await tier.values.delete('a'), await tier.values.delete('a')], [true, false]);
    assert.equal(await tier.values.has('a'), false);
  },

  'keeps a value for its life, and no longer': async (tiers) => {
    const { tier } = await tiers.open();
    await tier.values.set('long', 'long', LIFE);
    await tier.values.set('short', 'short', 1_200.5);
    assert.equal(await tier.values.get('short'), 'short');
    await until('the value expires', async () => (await tier.values.get('short')) === undefined);
    assert.equal(await tier.values.has('short'), false);
    assert.equal(await tier.values.get('long'), 'long');
  },

  'clears all values, and neither entries nor evictions': async (tiers) => {
    const one = await tiers.open();
    await one.tier.set('a', Buffer.from('an entry'), LIFE);
    const evicted = await one.tier.evict(['t:1']);
    const keys = Array.from({ length: 500 }, (_, at) => `k${at}`);
    await Promise.all(keys.map((key) => one.tier.values.set(key, key, LIFE)));
    await one.tier.values.clear();
    const two = await tiers.openNext(one);
    const left = await Promise.all(keys.map((key) => two.tier.values.has(key)));
    assert.deepEqual(new Set(left), new Set([false]));
    const { frame, position } = await two.tier.lookup('a');
    assert.equal(String(frame), 'an entry');
    assert.deepEqual(position, evicted);
    assert.equal((await two.tier.sync(undefined)).stamps.length, 1);
    await two.tier.values.set('k0', 'again', LIFE);
    assert.equal(await two.tier.values.get('k0'), 'again');
  },
};
