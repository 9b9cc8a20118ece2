import assert from 'node:assert/strict';
import { isEntry } from '../cache/entry.js';
import type { MaybePromise } from '../cache/maybe-promise.js';
import { OpenedStore, type StoreUnderTest } from './opened-store.js';
import type { Chapter } from './promises.js';
import { randomBytes, randomNumbers } from './random.js';

/** A way to the bytes that a store keeps, past the store. */
export interface StoredBytes {
  /** What lies under an entry's key. */
  read(key: string): MaybePromise<Buffer | undefined>;
  /** Puts these bytes there instead. */
  write(key: string, bytes: Buffer): MaybePromise<void>;
}

/** A store whose bytes others can reach. */
export interface BytesStoreUnderTest extends StoreUnderTest {
  readonly bytes: StoredBytes;
  /** Removes the entry of a key, from wherever the store keeps it. */
  readonly forget: (key: string) => MaybePromise<void>;
}

/** As much as nobody stores on purpose, in bytes. */
const ENORMOUS = 64 * 1024 * 1024;

const FLIPS = 200;

const FOREIGN: readonly (readonly [what: string, bytes: Buffer])[] = [
  ...['', 'null', '""', '[]', '{}', 'OK', '0', 'NCV', '{"status":200,"body":"hello"}', '\0\0\0\0'].map(
    (text) => [JSON.stringify(text), Buffer.from(text)] as const,
  ),
  ...[1, 2, 15, 16, 17, 100, 1_000, 65_536, 1_048_576].map(
    (length) => [`${length} random bytes`, randomBytes(length)] as const,
  ),
  ['zeros', Buffer.alloc(1_000)],
];

export class OpenedBytesStore extends OpenedStore {
  readonly bytes: StoredBytes;

  readonly forget: BytesStoreUnderTest['forget'];

  constructor(given: BytesStoreUnderTest) {
    super(given);
    this.bytes = given.bytes;
    this.forget = given.forget;
  }

  /** An entry's own bytes; it is stored no more. */
  async frameOf(key: string, given: Parameters<OpenedStore['put']>[1] = {}): Promise<Buffer> {
    await this.put(key, given);
    const frame = await this.bytes.read(key);
    assert.ok(frame !== undefined, 'no bytes lie where the entry was stored');
    await this.forget(key);
    return frame;
  }

  /** What is found where `bytes` lie under the key. Nothing of it is left. */
  async readFrom(key: string, bytes: Buffer): Promise<string | undefined> {
    await this.bytes.write(key, bytes);
    const found = await this.read(key);
    await this.forget(key);
    return found;
  }
}

/** Bytes that a store did not write, or not there, or not now. */
export const STORED_BYTES_PROMISES: Chapter<OpenedBytesStore> = {
  'takes back the bytes that it wrote': async (opened) => {
    const frame = await opened.frameOf('a', { text: 'body' });
    assert.equal(await opened.read('a'), undefined);
    assert.equal(await opened.readFrom('a', frame), 'body');
  },

  'takes nothing foreign for an entry, and goes on': async (opened) => {
    for (const [what, bytes] of FOREIGN) {
      assert.equal(await opened.readFrom('a', bytes), undefined, what);
      await opened.bytes.write('a', bytes);
      assert.equal(await opened.put('a', { text: what }), true);
      assert.equal(await opened.read('a'), what);
      await opened.forget('a');
    }
  },

  'takes no part of an entry, nor one with something behind it': async (opened) => {
    const frame = await opened.frameOf('a', { text: 'body' });
    for (let length = 0; length < frame.length; length += length < 64 ? 1 : 7)
      assert.equal(await opened.readFrom('a', frame.subarray(0, length)), undefined, `${length} bytes`);
    assert.equal(await opened.readFrom('a', frame.subarray(0, -1)), undefined);
    assert.equal(await opened.readFrom('a', frame.subarray(1)), undefined);
    assert.equal(await opened.readFrom('a', Buffer.concat([frame, Buffer.from(' ')])), undefined);
    assert.equal(await opened.readFrom('a', Buffer.concat([frame, frame])), undefined);
  },

  'takes no entry with a bit that is another': async (opened) => {
    const frame = await opened.frameOf('a', { text: 'body', tags: ['t:1'] });
    const random = randomNumbers(28);
    for (let flip = 0; flip < FLIPS; flip++) {
      const bit = flip < FLIPS / 2 ? flip : Math.floor(random() * frame.length * 8);
      const damaged = Buffer.from(frame);
      damaged.writeUInt8(damaged.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      assert.equal(await opened.readFrom('a', damaged), undefined, `bit ${bit}`);
    }
  },

  "takes no other key's entry": async (opened) => {
    const frame = await opened.frameOf('a', { text: "a's", tags: ['b'] });
    assert.equal(await opened.readFrom('b', frame), undefined);
    assert.equal(await opened.readFrom('a', frame), "a's");
  },

  'takes no entry that is written only after its eviction or its end': async (opened) => {
    const frame = await opened.frameOf('a', { text: 'old', tags: ['t:1'], life: 30_000 });
    await opened.store.evict(['t:2']);
    assert.equal(await opened.readFrom('a', frame), 'old');
    await opened.store.evict(['t:1']);
    assert.equal(await opened.readFrom('a', frame), undefined);
    const other = await opened.frameOf('b', { life: 30_000 });
    opened.clock.advance(30_000);
    assert.equal(await opened.readFrom('b', other), undefined);
  },

  'takes nothing enormous, and says so without an error': async (opened) => {
    await opened.bytes.write('a', Buffer.alloc(ENORMOUS, 'x'));
    const found = await opened.store.lookup('a');
    assert.ok(!isEntry(found));
    assert.equal(await opened.put('a', { text: 'small' }), true);
    assert.equal(await opened.read('a'), 'small');
  },
};
