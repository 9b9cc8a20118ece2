import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { decodeEntry, encodeEntry } from '../../libs/caching/src/cache/entry-codec.js';
import { GOLDEN, GOLDEN_2 } from './entries.js';

const FOLDER = new URL('entries/', import.meta.url);

/**
 * The bytes of stored entries, by the version of their format. They live in stores that outlast a deployment, and old
 * and new releases read each other's: a change that makes one of these fail needs a new version number in
 * `entry-codec.ts`, files of its own, and a release note. The files here are never written anew.
 */
describe.each([
  [1, GOLDEN],
  [2, GOLDEN_2],
] as const)('frames of format %i', (version, golden) => {
  const read = (file: string): Buffer => readFileSync(new URL(`${file}.v${version}.bin`, FOLDER));

  it.each(golden)('are written as they ever were: %s', (file, entry) => {
    expect(encodeEntry(entry, entry.start)?.toString('latin1')).toBe(read(file).toString('latin1'));
  });

  it.each(golden)('are read as they ever were: %s', (file, entry) => {
    const expected = { key: entry.key, now: entry.storedAt, maxBodyBytes: 1_024 };
    expect(decodeEntry(read(file), expected)).toStrictEqual(entry);
  });

  it.each(golden)('are a miss under any other version number: %s', (file, entry) => {
    const frame = read(file);
    const taken: number[] = [];
    for (let other = 0; other < 256; other++) {
      frame.writeUInt8(other, 3);
      const expected = { key: entry.key, now: entry.storedAt, maxBodyBytes: 1_024 };
      if (typeof decodeEntry(frame, expected) !== 'string') taken.push(other);
    }
    expect(taken).toEqual([version]);
  });

  it('are all there', () => {
    const files = readdirSync(FOLDER).filter((file) => file.endsWith(`.v${version}.bin`));
    expect(files.sort()).toEqual(golden.map(([file]) => `${file}.v${version}.bin`).sort());
  });
});
