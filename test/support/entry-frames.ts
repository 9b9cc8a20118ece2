import { crc32 } from 'node:zlib';

/** The fields of a frame's head, in their order. */
export const HEAD = [
  'tags',
  'key',
  'variantOf',
  'epoch',
  'n',
  'storedAt',
  'expiresAt',
  'status',
  'statusMessage',
  'delivery',
  'headers',
  'removed',
  'freshness',
  'handlerTime',
] as const;

export type HeadName = (typeof HEAD)[number];

const HEAD_AT = 16;
const NO_BODY = 0xffff_ffff;

/** A frame, written by its description rather than by the library, with a right checksum around anything. */
export function frameOf(
  head: string,
  body: Buffer | undefined,
  given: { bodyLength?: number; version?: number } = {},
): Buffer {
  const text = Buffer.from(head);
  const lengths = Buffer.alloc(8);
  lengths.writeUInt32BE(text.length, 0);
  lengths.writeUInt32BE(given.bodyLength ?? body?.length ?? NO_BODY, 4);
  const checked = Buffer.concat([lengths, text, body ?? Buffer.alloc(0)]);
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32BE(crc32(checked));
  return Buffer.concat([Buffer.from('NCV'), Buffer.from([given.version ?? 1]), checksum, checked]);
}

/** The head's text and the body of a frame that is whole. */
export function partsOf(frame: Buffer): { readonly head: string; readonly body: Buffer | undefined } {
  const bodyAt = HEAD_AT + frame.readUInt32BE(8);
  return {
    head: frame.toString('utf8', HEAD_AT, bodyAt),
    body: frame.readUInt32BE(12) === NO_BODY ? undefined : frame.subarray(bodyAt),
  };
}

/** The same frame with one field of its head changed, and a checksum that fits. */
export function withField(frame: Buffer, name: HeadName, change: (value: unknown) => unknown): Buffer {
  const { head, body } = partsOf(frame);
  const fields = JSON.parse(head) as unknown[];
  const at = HEAD.indexOf(name);
  const changed = change(fields[at]);
  // The last ones may not be there.
  if (changed !== undefined || at < fields.length) fields[at] = changed;
  return frameOf(JSON.stringify(fields), body);
}
