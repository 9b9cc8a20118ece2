import assert from 'node:assert/strict';
import type { OpenedTiers } from './opened-tiers.js';
import type { Chapter } from './promises.js';
import { randomBytes } from './random.js';
import { until } from './until.js';

const LIFE = 60_000;

const KEYS: readonly string[] = [
  'a',
  'A',
  'a ',
  'a:b',
  'a*',
  'a?',
  '{a}',
  'a\0',
  'a\r\nb',
  'é',
  'e\u0301',
  '🎈',
  '__proto__',
  'position',
  'stamps',
  `${'long'.repeat(4_000)}1`,
  `${'long'.repeat(4_000)}2`,
];

/** Bytes under keys. */
export const TIER_BYTES_PROMISES: Chapter<OpenedTiers> = {
  'gives back the bytes that were stored, whatever they are, to every instance': async (tiers) => {
    const one = await tiers.open();
    const bodies = [Buffer.alloc(0), Buffer.from([0, 255, 13, 10]), randomBytes(1_100_000)];
    for (const [at, body] of bodies.entries()) await one.tier.set(`k${at}`, body, LIFE);
    const two = await tiers.openNext(one);
    for (const [at, body] of bodies.entries()) {
      const { frame } = await two.tier.lookup(`k${at}`);
      assert.ok(frame?.equals(body), `${body.length} bytes came back as ${frame?.length}`);
    }
  },

  'keeps keys apart that look alike': async (tiers) => {
    const { tier } = await tiers.open();
    for (const [at, key] of KEYS.entries()) await tier.set(key, Buffer.from(`body ${at}`), LIFE);
    for (const [at, key] of KEYS.entries())
      assert.equal(String((await tier.lookup(key)).frame), `body ${at}`, JSON.stringify(key.slice(0, 40)));
    assert.equal((await tier.lookup('never')).frame, undefined);
  },

  'keeps what was stored last under a key': async (tiers) => {
    const one = await tiers.open();
    await one.tier.set('a', Buffer.from('one'), LIFE);
    const two = await tiers.openNext(one);
    await two.tier.set('a', Buffer.from('two'), LIFE);
    assert.equal(String((await two.tier.lookup('a')).frame), 'two');
  },

  'keeps bytes for their life, and no longer': async (tiers) => {
    const { tier } = await tiers.open();
    await tier.set('long', Buffer.from('long'), LIFE);
    await tier.set('short', Buffer.from('short'), 1_200.5);
    assert.equal(String((await tier.lookup('short')).frame), 'short');
    await until('the bytes expire', async () => (await tier.lookup('short')).frame === undefined);
    assert.equal(String((await tier.lookup('long')).frame), 'long');
  },

  'hands on what others put under a key, or nothing, and never fails for it': async (tiers) => {
    const { tier } = await tiers.open();
    for (const bytes of [
      Buffer.alloc(0),
      Buffer.from('null'),
      Buffer.from('{"value":1}'),
      randomBytes(5_000),
    ]) {
      await tier.set('a', Buffer.from('ours'), LIFE);
      await tiers.bytes.write('a', bytes);
      const { frame } = await tier.lookup('a');
      assert.ok(frame === undefined || frame.equals(bytes), 'neither what lies there nor nothing');
      await tier.set('a', Buffer.from('ours again'), LIFE);
      assert.equal(String((await tier.lookup('a')).frame), 'ours again');
    }
  },

  'keeps namespaces apart: bytes, evictions and values': async (tiers) => {
    const one = await tiers.open();
    const other = await tiers.open(`${tiers.namespace}.other`);
    await one.tier.set('a', Buffer.from('one'), LIFE);
    await one.tier.values.set('a', 'one', LIFE);
    const position = await one.tier.position();
    assert.equal((await other.tier.lookup('a')).frame, undefined);
    assert.equal(await other.tier.values.get('a'), undefined);
    await other.tier.set('a', Buffer.from('other'), LIFE);
    await other.tier.values.set('a', 'other', LIFE);
    await other.tier.evict(['t:1']);
    await other.tier.values.clear();
    assert.equal(String((await one.tier.lookup('a')).frame), 'one');
    assert.equal(await one.tier.values.get('a'), 'one');
    assert.deepEqual(await one.tier.position(), position);
  },
};
