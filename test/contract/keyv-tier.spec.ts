import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { KeyvAdapter } from '../../libs/caching/src/stores/keyv/keyv-adapter.js';
import { type Backend, BACKENDS } from '../support/keyv/backends.js';
import { openTier } from '../support/keyv/tier.js';

const HOUR = 3_600_000;
/** Memcached may have to be installed first. */
const START_TIMEOUT = 360_000;

const ALL_BYTES = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));

function viewName(namespace: string, key: string): string {
  return `${namespace}:view:${createHash('sha256').update(key).digest('base64url')}`;
}

describe.each(BACKENDS)('keyv() on $name', ({ start }) => {
  let backend: Backend;
  let adapter: KeyvAdapter;
  let namespace: string;

  beforeAll(async () => {
    backend = await start();
    adapter = backend.connect();
  }, START_TIMEOUT);

  afterAll(() => backend.close());

  beforeEach(() => {
    namespace = randomUUID();
  });

  function open(given?: Parameters<typeof openTier>[2]) {
    return openTier(backend.connect(), namespace, given);
  }

  /** As Keyv writes it. The adapter of Memcached parses what it reads. */
  async function rawText(key: string): Promise<string> {
    const raw: unknown = await adapter.get(key);
    return typeof raw === 'string' ? raw : JSON.stringify(raw);
  }

  async function mainRecord(): Promise<{ anchor: string; parts: { id: string }[] }> {
    const record = JSON.parse(await rawText(`${namespace}:state`)) as { value: string };
    return JSON.parse(record.value.slice(record.value.indexOf(' ') + 1)) as Awaited<
      ReturnType<typeof mainRecord>
    >;
  }

  it.each([
    ['every byte', ALL_BYTES],
    ['no byte', Buffer.alloc(0)],
    ['500 KB', randomBytes(500_000)],
  ])('gives back %s as it was stored', async (_, frame) => {
    const { tier } = open();
    await tier.set('key', frame, HOUR);
    expect((await tier.lookup('key')).frame?.equals(frame)).toBe(true);
    expect((await tier.lookup('KEY')).frame).toBeUndefined();
  });

  it('stores under keys of any length and any text', async () => {
    const { tier } = open();
    const keys = ['', 'a b\r\nc\0', 'ключ %_*', 'k'.repeat(10_000), 'k'.repeat(10_001)];
    for (const key of keys) await tier.set(key, Buffer.from(`<${key}>`), HOUR);
    for (const key of keys) expect((await tier.lookup(key)).frame?.toString()).toBe(`<${key}>`);
  });

  it('forgets bytes when their time is over', async () => {
    const { tier, clock } = open();
    await tier.set('short', ALL_BYTES, 10);
    await tier.set('long', ALL_BYTES, 60 * 24 * HOUR);
    clock.advance(9);
    expect((await tier.lookup('short')).frame).toEqual(ALL_BYTES);
    clock.advance(1);
    expect((await tier.lookup('short')).frame).toBeUndefined();
    expect((await tier.lookup('long')).frame).toEqual(ALL_BYTES);
  });

  it('tells what was evicted since a place, in order', async () => {
    const { tier } = open();
    const start = await tier.position();
    await tier.evict(['a', 'b']);
    const second = await tier.evict(['b', 'c']);
    expect(second).toEqual({ epoch: start.epoch, n: start.n + 2 });
    expect(await tier.position()).toEqual(second);
    const { position, stamps } = await tier.sync(start);
    expect(position).toEqual(second);
    expect(stamps).toEqual([
      ['a', second.n - 1],
      ['b', second.n],
      ['c', second.n],
    ]);
    expect((await tier.sync(second)).stamps).toEqual([]);
  });

  it('knows in its next life what it stored and what it evicted', async () => {
    const before = open();
    await before.tier.set('key', ALL_BYTES, HOUR);
    const start = await before.tier.position();
    const evicted = await before.tier.evict(['a', '\0\ud800"ключ']);
    const { tier } = open();
    expect(await tier.position()).toEqual(evicted);
    expect(await tier.sync(start)).toMatchObject({
      position: evicted,
      floor: 0,
      stamps: [
        ['a', evicted.n],
        ['\0\ud800"ключ', evicted.n],
      ],
    });
    expect((await tier.lookup('key')).frame).toEqual(ALL_BYTES);
  });

  it('knows thousands of evicted tags in its next life', async () => {
    const before = open();
    const start = await before.tier.position();
    const tags = Array.from({ length: 3_000 }, (_, i) => `tag:${i}:${'x'.repeat(30)}`);
    for (let i = 0; i < tags.length; i += 100) await before.tier.evict(tags.slice(i, i + 100));
    await before.tier.evict(tags.slice(0, 100));
    expect((await mainRecord()).parts.length).toBeGreaterThan(1);
    const { tier } = open();
    const { stamps } = await tier.sync(start);
    expect(stamps).toEqual((await before.tier.sync(start)).stamps);
    expect(stamps).toHaveLength(tags.length);
  });

  describe('begins a new epoch, so that nothing old is valid,', () => {
    async function lifeAfter(damage: () => Promise<unknown>): Promise<boolean> {
      const before = open();
      const tags = Array.from({ length: 600 }, (_, i) => `tag:${i}:${'x'.repeat(30)}`);
      await before.tier.evict(tags);
      const { epoch } = await before.tier.evict(tags.map((tag) => `${tag}:again`));
      await before.tier.evict(['last']);
      await damage();
      const { tier } = open();
      return (await tier.position()).epoch !== epoch;
    }

    it('where its main record is gone', async () => {
      expect(await lifeAfter(() => adapter.delete(`${namespace}:state`))).toBe(true);
    });

    it('where the anchor of its main record is gone', async () => {
      const damage = async () => adapter.delete(`${namespace}:anchor:${(await mainRecord()).anchor}`);
      expect(await lifeAfter(damage)).toBe(true);
    });

    it('where a part of its state is gone', async () => {
      const damage = async () => {
        const [part] = (await mainRecord()).parts;
        expect(await adapter.delete(`${namespace}:part:${part?.id}`)).toBe(true);
      };
      expect(await lifeAfter(damage)).toBe(true);
    });

    it('where a part is the text of another one', async () => {
      const damage = async () => {
        const [first, second] = (await mainRecord()).parts;
        await adapter.set(`${namespace}:part:${first?.id}`, await rawText(`${namespace}:part:${second?.id}`));
      };
      expect(await lifeAfter(damage)).toBe(true);
    });

    it('where a digit of its main record is another one', async () => {
      const damage = async () => {
        const text = await rawText(`${namespace}:state`);
        const damaged = text.replace(/(\\"floor\\":)0/, '$11');
        expect(damaged).not.toBe(text);
        await adapter.set(`${namespace}:state`, damaged);
      };
      expect(await lifeAfter(damage)).toBe(true);
    });

    it.each(['', '{', 'null', '[]', '{"value":5}', '{"value":"{}"}', '{"value":"x {\\"n\\":1}"}'])(
      'where its main record is %j',
      async (text) => {
        expect(await lifeAfter(() => adapter.set(`${namespace}:state`, text) as Promise<unknown>)).toBe(true);
      },
    );

    it('and not where all is whole', async () => {
      expect(await lifeAfter(async () => undefined)).toBe(false);
    });
  });

  it.each([
    '',
    ' ',
    'null',
    '[]',
    '{',
    '5',
    '"text"',
    '{"value":null}',
    '{"value":5}',
    '{"value":{}}',
    '{"value":""}',
    '{"value":":"}',
    '{"value":"AAAA"}',
    '{"value":"!zzzz:AAAA"}',
    '\ufffd\u0001 garbage',
  ])('finds nothing where a record is %j', async (text) => {
    const { tier } = open();
    await tier.set('key', ALL_BYTES, HOUR);
    await adapter.set(viewName(namespace, 'key'), text);
    expect((await tier.lookup('key')).frame).toBeUndefined();
    await tier.set('key', ALL_BYTES, HOUR);
    expect((await tier.lookup('key')).frame).toEqual(ALL_BYTES);
  });

  it('keeps values with their expiry, apart from views and other namespaces', async () => {
    const { tier, clock } = open();
    const other = openTier(backend.connect(), randomUUID());
    await tier.values.set('key', '{"a":"\u0000ü\ud800"}', 1_000);
    await tier.values.set('later', '', 2_000);
    expect(await tier.values.get('key')).toBe('{"a":"\u0000ü\ud800"}');
    expect((await tier.lookup('key')).frame).toBeUndefined();
    expect(await other.tier.values.has('key')).toBe(false);
    clock.advance(1_000);
    expect(await tier.values.get('key')).toBeUndefined();
    expect(await tier.values.get('later')).toBe('');
    expect(await tier.values.delete('key')).toBe(false);
    expect(await tier.values.delete('later')).toBe(true);
    expect(await tier.values.has('later')).toBe(false);
  });

  it("clears its values for good, and leaves views and everybody else's keys", async () => {
    const { tier } = open();
    const other = openTier(backend.connect(), randomUUID());
    await adapter.set('stranger', '{"value":"theirs"}');
    await adapter.set(namespace, '{"value":"theirs"}');
    await other.tier.values.set('key', 'theirs', HOUR);
    await tier.set('view', ALL_BYTES, HOUR);
    await tier.values.set('key', 'ours', HOUR);
    await tier.values.clear();
    expect(await tier.values.has('key')).toBe(false);
    await tier.close();
    const next = open();
    expect(await next.tier.values.has('key')).toBe(false);
    expect((await next.tier.lookup('view')).frame).toEqual(ALL_BYTES);
    expect(await other.tier.values.get('key')).toBe('theirs');
    for (const key of ['stranger', namespace])
      expect(JSON.stringify(await adapter.get(key))).toContain('theirs');
  });
});
