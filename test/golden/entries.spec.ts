import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { decodeEntry, encodeEntry } from '../../libs/caching/src/cache/entry-codec.js';
import { GOLDEN } from './entries.js';

const FOLDER = new URL('entries/', import.meta.url);

/**
 * The bytes of stored entries, format 1. They live in stores that outlast a deployment, and old and new releases
 * read each other's: a change that makes one of these fail needs a new version number in `entry-codec.ts`, files of
 * its own, and a release note that every shared cache starts empty. The files here are never written anew.
 */
describe('frames of format 1', () => {
  const read = (file: string): Buffer => readFileSync(new URL(`${file}.v1.bin`, FOLDER));

  it.each(GOLDEN)('are written as they ever were: %s', (file, entry) => {
    expect(encodeEntry(entry, entry.start)?.toString('latin1')).toBe(read(file).toString('latin1'));
  });

  it.each(GOLDEN)('are read as they ever were: %s', (file, entry) => {
    const expected = { key: entry.key, now: entry.storedAt, maxBodyBytes: 1_024 };
    expect(decodeEntry(read(file), expected)).toStrictEqual(entry);
  });

  it.each(GOLDEN)('are a miss under any other version number: %s', (file, entry) => {
    const frame = read(file);
    const taken: number[] = [];
    for (let version = 0; version < 256; version++) {
      frame.writeUInt8(version, 3);
      const expected = { key: entry.key, now: entry.storedAt, maxBodyBytes: 1_024 };
      if (decodeEntry(frame, expected) !== 'version') taken.push(version);
    }
    expect(taken).toEqual([1]);
  });

  it('are all there', () => {
    expect(readdirSync(FOLDER).sort()).toEqual(GOLDEN.map(([file]) => `${file}.v1.bin`).sort());
  });
});
