import { crc32 } from 'node:zlib';
import type { Entry } from './entry.js';
import {
  type EntryRefusal,
  type Expected,
  type FormatVersion,
  isStorable,
  readHead,
  versionOf,
  writeHead,
} from './entry-head.js';
import type { KnownHeads } from './known-heads.js';
import type { StampPosition } from './stamps.js';

/**
 * Why bytes from a store were not taken for an entry:
 * `foreign` no frame at all, or not whole; `version` of another release; `too-large` for what may be stored;
 * `checksum` damaged on the way; and what is wrong with the entry inside (`EntryRefusal`).
 */
export type FrameRefusal = 'foreign' | 'version' | 'too-large' | 'checksum' | EntryRefusal;

/*
 * A frame, its numbers in network byte order:
 *
 *   0   3 bytes   "NCV"
 *   3   1 byte    version of the format: the oldest that can say all of the entry
 *   4   4 bytes   CRC-32 of everything that follows
 *   8   4 bytes   length of the head
 *   12  4 bytes   length of the body, or NO_BODY
 *   16            the head: JSON in UTF-8 (`entry-head.ts`)
 *                 the body: bytes as they are sent
 *
 * The body is neither escaped nor looked at, so that reading a frame costs the same for any body, its checksum aside.
 * Stores outlast deployments: a change to these bytes, or to the head, takes a new version and is a release note.
 */
const MAGIC = 0x4e4356;
const VERSIONS: ReadonlySet<number> = new Set<FormatVersion>([1, 2]);
const AT = { signature: 0, version: 3, checksum: 4, headLength: 8, bodyLength: 12, head: 16 } as const;
const NO_BODY = 0xffff_ffff;

/** The most that a head may take, in bytes. Around 250 tags of full length fit, or as many header fields. */
const MAX_HEAD_BYTES = 64 * 1_024;

/**
 * The bytes of an entry for a store that others read, too.
 *
 * @param start where the shared eviction sequence stood before the handler ran, which is not the place in the
 *   sequence of this process that `entry.start` may hold
 * @returns nothing where the entry can't be put into a frame, or nobody would take it out again: a head above 64 KB,
 *   too many tags, a field that is never replayed
 */
export function encodeEntry(entry: Entry, start: StampPosition): Buffer | undefined {
  const { body } = entry.response;
  const bodyLength = body?.length ?? 0;
  if (bodyLength >= NO_BODY || !isStorable(entry, bodyLength)) return undefined;
  const head = writeHead(entry, start);
  const headLength = Buffer.byteLength(head);
  if (headLength > MAX_HEAD_BYTES) return undefined;
  // Not from Buffer's pool, a piece of which would keep all of it alive.
  const frame = Buffer.allocUnsafeSlow(AT.head + headLength + bodyLength);
  frame.writeUInt32BE(MAGIC * 256 + versionOf(entry), AT.signature);
  frame.writeUInt32BE(headLength, AT.headLength);
  frame.writeUInt32BE(body === undefined ? NO_BODY : bodyLength, AT.bodyLength);
  frame.write(head, AT.head);
  if (body !== undefined) frame.set(body, AT.head + headLength);
  frame.writeUInt32BE(checksumOf(frame), AT.checksum);
  return frame;
}

/**
 * The entry in bytes that a store returned for a key, or why there is none: whatever is not, down to the last bit,
 * an entry of that key that may be sent now is a miss. Never throws.
 *
 * The body is a view of `bytes`: whoever keeps the entry keeps them.
 *
 * @param heads for a reader to whom the same entries come again and again
 * @example
 * const found = decodeEntry(bytes, { key, now: clock.now(), maxBodyBytes });
 * if (typeof found === 'string') return miss(found);
 */
export function decodeEntry(bytes: unknown, expected: Expected, heads?: KnownHeads): Entry | FrameRefusal {
  if (!Buffer.isBuffer(bytes) || bytes.length < AT.head) return 'foreign';
  if (bytes.readUIntBE(AT.signature, 3) !== MAGIC) return 'foreign';
  const version = bytes.readUInt8(AT.version);
  if (!isVersion(version)) return 'version';
  const headLength = bytes.readUInt32BE(AT.headLength);
  const given = bytes.readUInt32BE(AT.bodyLength);
  const bodyLength = given === NO_BODY ? 0 : given;
  const bodyAt = AT.head + headLength;
  if (bodyAt + bodyLength !== bytes.length) return 'foreign';
  // Before anything that takes longer for more bytes.
  if (headLength > MAX_HEAD_BYTES || bodyLength > expected.maxBodyBytes) return 'too-large';
  if (bytes.readUInt32BE(AT.checksum) !== checksumOf(bytes)) return 'checksum';
  const body = given === NO_BODY ? undefined : bytes.subarray(bodyAt);
  const known = heads?.find(bytes, bodyAt, body, expected);
  if (known !== undefined) return known;
  const entry = readHead(bytes.toString('utf8', AT.head, bodyAt), body, expected, version);
  if (typeof entry !== 'string') heads?.remember(bytes, bodyAt, entry, expected.now);
  return entry;
}

function isVersion(version: number): version is FormatVersion {
  return VERSIONS.has(version);
}

function checksumOf(frame: Buffer): number {
  return crc32(frame.subarray(AT.headLength));
}
