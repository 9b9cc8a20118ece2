import { parse, stringify } from 'devalue';
import type { CopyShape } from './copy-shape.js';
import type { HeaderField, StoredResponse } from './entry.js';
import { copyOf } from './value-copy.js';
import { freeze, isFrozenThrough, ownCopy, type OwnValue } from './value-gate.js';

const NOTHING: readonly never[] = [];

/** What a promise takes in memory, in bytes. */
const PROMISE = 40;

/**
 * The result of a function as the engine keeps it: in this process as it is, as bytes where it leaves the process.
 * No view has its `delivery`, so none is ever answered with it.
 */
export class HeldValue implements StoredResponse {
  readonly #value: unknown;
  /** The last one that has covered it: nearly always the only one. */
  #shape: CopyShape | undefined;
  #promise: Promise<unknown> | undefined;
  readonly heldBytes: number;

  private constructor(
    { value, bytes }: OwnValue,
    /** Everybody is given the same, which nobody can write to. */
    readonly isFrozen: boolean,
  ) {
    this.#value = value;
    this.heldBytes = bytes + (isFrozen || !isObject(value) ? PROMISE : 0);
  }

  /**
   * @param maxBytes what it may take in memory
   * @param isFrozen all callers are given one frozen value rather than a copy each
   * @throws NotStorable for values that would not come back as they were given
   */
  static of(value: unknown, maxBytes: number, isFrozen = false): HeldValue {
    const own = ownCopy(value, maxBytes);
    // What was frozen all through is to come back so, and needs no copies.
    const isShared = isFrozen || (isObject(value) && isFrozenThrough(value));
    if (isShared) freeze(own.value);
    return new HeldValue(own, isShared);
  }

  /** From bytes that anybody may have written: nothing for those that hold no value. Never throws. */
  static decode(bytes: Buffer | undefined, maxBytes: number): HeldValue | undefined {
    if (bytes === undefined || bytes.length === 0 || bytes.length > longestText(maxBytes)) return undefined;
    const isFrozen = bytes[0] === FROZEN;
    if (!isFrozen && bytes[0] !== COPIED) return undefined;
    try {
      // What comes out is looked at like what goes in: no cycles, nothing beyond the bound.
      return HeldValue.of(parse(bytes.toString('utf8', 1), REVIVERS), maxBytes, isFrozen);
    } catch {
      // Damaged or foreign: there is no value.
      return undefined;
    }
  }

  /**
   * A value of the caller's own, or the frozen one of all.
   *
   * @param shape of its like, by which it is copied faster
   */
  take(shape?: CopyShape): unknown {
    const value = this.#value;
    if (this.isFrozen || !isObject(value)) return value;
    if (shape === undefined) return copyOf(value);
    if (this.#shape !== shape) {
      shape.cover(value);
      this.#shape = shape;
    }
    return shape.copy(value);
  }

  /** The same, as callers are given it. Where all may have one value, one promise of it does for all hits. */
  promise(shape: CopyShape): Promise<unknown> {
    const value = this.#value;
    if (this.isFrozen || !isObject(value)) return (this.#promise ??= Promise.resolve(value));
    return Promise.resolve(this.take(shape));
  }

  /** As it is written for other processes: made when it is asked for, as a value in memory needs none. */
  get body(): Buffer {
    const text = stringify(this.#value, REDUCERS);
    const bytes = Buffer.allocUnsafeSlow(1 + Buffer.byteLength(text));
    bytes[0] = this.isFrozen ? FROZEN : COPIED;
    bytes.write(text, 1);
    return bytes;
  }

  get status(): number {
    return 200;
  }

  get headers(): readonly HeaderField[] {
    return NOTHING;
  }

  get removed(): readonly string[] {
    return NOTHING;
  }

  get delivery(): 'value' {
    return 'value';
  }
}

/** How long what is written of a value of `maxBytes` can be: JSON has six characters for one that it escapes. */
export function longestText(maxBytes: number): number {
  return 6 * maxBytes + 1024;
}

/** How a function failed, for those who wait for it: it is given to them and kept by nobody. */
export class HeldFailure implements StoredResponse {
  readonly status = 500;
  readonly headers = NOTHING;
  readonly removed = NOTHING;
  readonly body = undefined;
  readonly delivery = 'value';

  constructor(readonly error: unknown) {}
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

/*
 * The bytes: 'c' (callers get copies) or 'z' (frozen), and what devalue makes of the value: JSON with types beside it.
 * A Buffer would come back as a Uint8Array, and a RegExp without its place.
 */
const COPIED = 0x63;
const FROZEN = 0x7a;

const REDUCERS = {
  Buffer: (value: unknown) => Buffer.isBuffer(value) && [value.toString('base64')],
  Pattern: (value: unknown) =>
    value instanceof RegExp && value.lastIndex !== 0 && [value.source, value.flags, value.lastIndex],
};

const REVIVERS = {
  Buffer: ([text]: [string]) => {
    if (typeof text !== 'string') throw new TypeError('no bytes');
    return Buffer.from(text, 'base64');
  },
  Pattern: ([source, flags, lastIndex]: [string, string, number]) =>
    Object.assign(new RegExp(source, flags), { lastIndex }),
};
