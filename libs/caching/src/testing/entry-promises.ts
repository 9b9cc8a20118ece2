import assert from 'node:assert/strict';
import type { Entry } from '../cache/entry.js';
import type { OpenedStore } from './opened-store.js';
import type { Chapter } from './promises.js';
import { randomBytes } from './random.js';
import { sampleResponse } from './sample-entry.js';

const MEBIBYTE = 1024 * 1024;

/** Keys that are easily taken for one another. */
const ALIKE: readonly string[] = [
  'a',
  'A',
  'a ',
  'a%20',
  'a:b',
  'a:b:',
  'a*',
  'a?',
  '[a]',
  '{a}',
  'a\0',
  'a\r\nb',
  'é',
  'e\u0301',
  '🎈',
  '\ud83c',
  '\ud83d',
  '__proto__',
  'constructor',
  'toString',
  `${'long'.repeat(4_000)}1`,
  `${'long'.repeat(4_000)}2`,
];

/** Storing, finding, expiry. */
export const ENTRY_PROMISES: Chapter<OpenedStore> = {
  'returns what was stored, under its key only': async (opened) => {
    const { store } = opened;
    assert.equal(await opened.put('a', { text: 'A' }), true);
    assert.equal(await opened.read('a'), 'A');
    for (const other of ['A', 'a ', '', '__proto__']) assert.equal(await opened.read(other), undefined);
    const full = await opened.make('full', {
      tags: ['t:1', 't:é'],
      variantOf: 'url',
      response: {
        status: 203,
        statusMessage: 'Fine',
        headers: [
          ['X-One', 'é'],
          ['Two', ['a', 'b']],
          ['Empty', ''],
          ['Vary', 'origin', 'add'],
        ],
        removed: ['x-powered-by'],
        body: Buffer.from([0, 255, 13, 10]),
        delivery: 'raw',
      },
    });
    await store.set(full);
    assert.deepEqual(comparable(await opened.find('full')), comparable(full));
  },

  'keeps no body and an empty body apart': async (opened) => {
    await opened.put('none', { response: { ...sampleResponse(''), body: undefined } });
    await opened.put('empty', { text: '' });
    assert.equal((await opened.find('none')).response.body, undefined);
    assert.deepEqual((await opened.find('empty')).response.body, Buffer.alloc(0));
  },

  'keeps a body of a mebibyte, whatever its bytes': async (opened) => {
    const body = randomBytes(Math.min(MEBIBYTE, opened.store.largestBody ?? MEBIBYTE));
    await opened.put('large', { response: { ...sampleResponse(''), body } });
    assert.ok((await opened.find('large')).response.body?.equals(body), 'other bytes came back');
  },

  'keeps keys apart that look alike, and gives nobody what is under another': async (opened) => {
    for (const [at, key] of ALIKE.entries()) await opened.put(key, { text: `body ${at}` });
    let kept = 0;
    for (const [at, key] of ALIKE.entries()) {
      const found = await opened.read(key);
      // A lone half of a surrogate pair is in no URL: a store may have no way to tell two of them apart.
      if (found === undefined && /\p{Surrogate}/u.test(key)) continue;
      assert.equal(found, `body ${at}`, JSON.stringify(key.slice(0, 40)));
      kept++;
    }
    assert.ok(kept >= ALIKE.length - 2);
  },

  'replaces what was stored before': async (opened) => {
    await opened.put('a', { text: 'one', order: 1 });
    assert.equal(await opened.put('a', { text: 'two', order: 2 }), true);
    assert.equal(await opened.read('a'), 'two');
  },

  'forgets an entry at the end of its life, to the millisecond': async (opened) => {
    await opened.put('a', { life: 30_000 });
    opened.clock.advance(29_999);
    assert.equal(await opened.read('a'), 'a');
    opened.clock.advance(1);
    assert.equal(await opened.read('a'), undefined);
  },

  'stores nothing that is expired, or came from the future': async (opened) => {
    const now = opened.clock.now();
    assert.equal(await opened.put('expired', { storedAt: now - 2_000, life: 2_000 }), false);
    // Clocks of several machines differ by seconds; by hours only if one is wrong.
    await opened.put('future', { storedAt: now + 3_600_000 });
    assert.equal(await opened.read('expired'), undefined);
    assert.equal(await opened.read('future'), undefined);
  },

  'removes one entry on request, and minds no key that is not there': async (opened) => {
    // A store may have no way to do so.
    if (opened.store.delete === undefined) return;
    await opened.put('a');
    await opened.put('b');
    await opened.store.delete('a');
    await opened.store.delete('never');
    assert.deepEqual([await opened.read('a'), await opened.read('b')], [undefined, 'b']);
    await opened.put('a', { text: 'again' });
    assert.equal(await opened.read('a'), 'again');
  },

  'keeps what the later fill made, in whichever order the two arrive': async (opened) => {
    await opened.put('a', { order: 2, text: 'later' });
    assert.equal(await opened.put('a', { order: 1, text: 'earlier' }), false);
    assert.equal(await opened.read('a'), 'later');
    await opened.put('a', { order: 3, text: 'last' });
    assert.equal(await opened.read('a'), 'last');
  },

  'prefers an earlier fill to a later one that was evicted': async (opened) => {
    await opened.put('a', { order: 2, text: 'later', tags: ['t:1'] });
    await opened.store.evict(['t:1']);
    assert.equal(await opened.put('a', { order: 1, text: 'earlier', tags: ['t:2'] }), true);
    assert.equal(await opened.read('a'), 'earlier');
  },

  'prefers an earlier fill to a later one that was removed': async (opened) => {
    if (opened.store.delete === undefined) return;
    await opened.put('a', { order: 2, text: 'later' });
    await opened.store.delete('a');
    assert.equal(await opened.put('a', { order: 1, text: 'earlier' }), true);
    assert.equal(await opened.read('a'), 'earlier');
  },

  'is not moved by names that objects have': async (opened) => {
    for (const key of ['constructor', '__proto__', 'toString']) {
      await opened.put(key, { tags: ['hasOwnProperty'] });
      assert.equal(await opened.read(key), key);
    }
    await opened.store.evict(['__proto__']);
    assert.equal(await opened.read('__proto__'), undefined);
    assert.equal(await opened.read('constructor'), 'constructor');
  },
};

/** All that whoever stored it chose. Its place among fills, and in a sequence, are the store's to tell in its own way. */
function comparable({ key, variantOf, response, tags, storedAt, expiresAt }: Entry): object {
  return { key, variantOf, response, tags, storedAt, expiresAt };
}
