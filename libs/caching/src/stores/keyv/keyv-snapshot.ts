import { createHash } from 'node:crypto';

/** A tag and the place of its last eviction. */
export type WrittenStamp = readonly [tag: string, n: number];

/** Some stamps in a record of their own, which is written once and never changed. */
export interface PartReference {
  readonly id: string;
  /** Of its text: another text under its key is not it. */
  readonly digest: string;
  /** The newest of its stamps. */
  readonly n: number;
  /** When that was. */
  readonly at: number;
}

/** The state as its main record tells it: all of it, or what all of it can be found from. */
export interface Snapshot {
  readonly epoch: string;
  readonly n: number;
  readonly floor: number;
  /** Names the values that `clear` has not removed. */
  readonly generation: string;
  /** Names the record without which this one is void. */
  readonly anchor: string;
  /** In the order of their stamps, oldest first. */
  readonly parts: readonly PartReference[];
  /** The newest stamps, in ascending order. */
  readonly tail: readonly WrittenStamp[];
}

/** Characters of a part: in whatever encoding less than the megabyte that Memcached takes. */
const PART_SIZE = 131_072;

/** Characters of the stamps in the main record, which is written with each eviction. */
const TAIL_SIZE = 16_384;

export function encodeSnapshot(snapshot: Snapshot): string {
  return seal(JSON.stringify({ format: 1, ...snapshot }));
}

/** Nothing where it is not the whole text of a snapshot. */
export function decodeSnapshot(text: string | undefined): Snapshot | undefined {
  const found = unseal(text) as (Snapshot & { format?: unknown }) | undefined;
  return found?.format === 1 ? found : undefined;
}

export function encodePart(stamps: readonly WrittenStamp[]): {
  readonly text: string;
  readonly digest: string;
} {
  const text = seal(JSON.stringify(stamps));
  return { text, digest: digestOf(text) };
}

/** Nothing where it is not the text that `reference` was made for. */
export function decodePart(
  text: string | undefined,
  reference: PartReference,
): readonly WrittenStamp[] | undefined {
  if (text === undefined || digestOf(text) !== reference.digest) return undefined;
  return unseal(text) as readonly WrittenStamp[] | undefined;
}

/** Slices that are a part each, in the same order. */
export function slicesOf(stamps: readonly WrittenStamp[]): WrittenStamp[][] {
  const slices: WrittenStamp[][] = [];
  let size = PART_SIZE;
  for (const stamp of stamps) {
    const length = sizeOf(stamp[0]);
    if (size + length > PART_SIZE) {
      slices.push([]);
      size = 0;
    }
    slices.at(-1)?.push(stamp);
    size += length;
  }
  return slices;
}

/** Whether they are too many for the main record. */
export function isLong(tail: readonly WrittenStamp[]): boolean {
  let size = 0;
  for (const [tag] of tail) {
    size += sizeOf(tag);
    if (size > TAIL_SIZE) return true;
  }
  return false;
}

/** About what a tag's stamp takes, in characters. */
export function sizeOf(tag: string): number {
  return tag.length + 16;
}

/** With a digest in front: what was not sealed here, or not wholly, can't be opened. */
function seal(text: string): string {
  return `${digestOf(text)} ${text}`;
}

function unseal(text: string | undefined): unknown {
  if (text === undefined) return undefined;
  const end = text.indexOf(' ');
  const inner = text.slice(end + 1);
  return end > 0 && digestOf(inner) === text.slice(0, end) ? JSON.parse(inner) : undefined;
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 22);
}
