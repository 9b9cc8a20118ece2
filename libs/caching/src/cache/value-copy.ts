import { isArrayBufferView } from 'node:util/types';
import { classNameOf, isPlainObject } from './plain-object.js';

/** How deep lists, maps and objects may lie in each other. */
const MAX_DEPTH = 500;

/** What a value costs beside its texts and bytes, in bytes; measured by `bench/memoize.mjs`. */
const OVERHEAD = { object: 56, member: 16, list: 32, element: 8, entry: 40, bytes: 216, number: 16 } as const;

/** Why a value can't be kept: `problem` is what stands at `path` in it. */
export class NotStorable extends Error {
  override readonly name = 'NotStorable';

  constructor(
    readonly path: string,
    readonly problem: string,
    /** What it is can be kept, but not so much of it. */
    readonly isTooLarge = false,
  ) {
    super(path === '' ? `is ${problem}` : `has ${problem} at ${path}`);
  }
}

/** A value that nobody else can change, and what it takes in memory. */
export interface OwnValue {
  readonly value: unknown;
  readonly bytes: number;
}

/**
 * A copy of a value, if it is one that can be kept: primitives but symbols, plain objects, arrays, `Date`, `RegExp`,
 * `URL`, `Map`, `Set`, `Buffer`, typed arrays, `DataView` and `ArrayBuffer`, in each other. An object that occurs twice
 * is two in the copy.
 *
 * @param maxBytes what the copy may take in memory
 * @throws NotStorable for anything else, as what came back would be something else than what was given
 */
export function ownCopy(value: unknown, maxBytes: number): OwnValue {
  const gate = new Gate(maxBytes);
  return { value: gate.copy(value), bytes: gate.bytes };
}

/** The same, so that its like can be given to any number of callers: nobody can write to it. */
export function frozenCopy(value: unknown, maxBytes: number): OwnValue {
  const own = ownCopy(value, maxBytes);
  freeze(own.value, '');
  return own;
}

class Gate {
  bytes = 0;
  #depth = 0;
  readonly #path: (string | number)[] = [];

  constructor(private readonly maxBytes: number) {}

  copy(value: unknown): unknown {
    switch (typeof value) {
      case 'string':
        this.#take(sizeOfText(value));
        return value;
      case 'number':
        this.#take(OVERHEAD.number);
        return value;
      case 'bigint':
        // Its digits are counted, which costs more than what they take: a bound is enough.
        this.#take(OVERHEAD.number + value.toString(16).length);
        return value;
      case 'boolean':
      case 'undefined':
        this.#take(OVERHEAD.element);
        return value;
      case 'object':
        return value === null ? value : this.#copyObject(value);
      default:
        throw this.#refuse(`a ${typeof value}`);
    }
  }

  #copyObject(source: object): unknown {
    if (++this.#depth > MAX_DEPTH)
      throw this.#refuse(`data nested deeper than ${MAX_DEPTH} levels, or in itself,`);
    const copy = this.#copyKnown(source);
    this.#depth--;
    return copy;
  }

  #copyKnown(source: object): unknown {
    if (Array.isArray(source)) return this.#copyList(source);
    if (isArrayBufferView(source) || source instanceof ArrayBuffer) {
      this.#expectPlain(source);
      this.#take(OVERHEAD.bytes + source.byteLength * 2);
      return copyBytes(source);
    }
    if (isPlainObject(source)) return this.#copyMembers(source);
    const type: unknown = Object.getPrototypeOf(source);
    if (type === Map.prototype) return this.#copyMap(source as Map<unknown, unknown>);
    if (type === Set.prototype) return this.#copySet(source as Set<unknown>);
    if (type === Date.prototype || type === RegExp.prototype || type === URL.prototype) {
      this.#expectNoMembers(source);
      const text = source instanceof URL ? source.href : source instanceof RegExp ? source.source : '';
      this.#take(OVERHEAD.object + text.length);
      return copyOf(source);
    }
    throw this.#refuse(instanceName(source));
  }

  #copyList(source: readonly unknown[]): unknown[] {
    if (classNameOf(source) !== 'Array') throw this.#refuse(instanceName(source));
    this.#take(OVERHEAD.list + OVERHEAD.element * source.length);
    const copy: unknown[] = [];
    for (let at = 0; at < source.length; at++) {
      this.#path.push(at);
      if (!Object.hasOwn(source, at)) throw this.#refuse('a hole');
      copy.push(this.copy(source[at]));
      this.#path.pop();
    }
    if (Object.keys(source).length !== source.length) throw this.#refuse('a list with members of its own');
    return copy;
  }

  #copyMembers(source: object): object {
    this.#take(OVERHEAD.object);
    const hasType = Object.getPrototypeOf(source) !== null;
    const copy = (hasType ? {} : Object.create(null)) as Record<string, unknown>;
    for (const name of Reflect.ownKeys(source)) {
      if (typeof name === 'symbol') throw this.#refuse('a member that is named by a symbol');
      this.#path.push(`.${name}`);
      const member = Object.getOwnPropertyDescriptor(source, name);
      if (name === '__proto__') throw this.#refuse('a member of this name');
      if (member?.enumerable !== true) throw this.#refuse('a hidden member');
      if (!('value' in member)) throw this.#refuse('an accessor');
      this.#take(OVERHEAD.member + name.length);
      copy[name] = this.copy(member.value);
      this.#path.pop();
    }
    return copy;
  }

  #copyMap(source: Map<unknown, unknown>): Map<unknown, unknown> {
    this.#expectNoMembers(source);
    this.#take(OVERHEAD.bytes + OVERHEAD.entry * source.size);
    const copy = new Map<unknown, unknown>();
    for (const [key, value] of source) {
      this.#path.push(`.keys()[${copy.size}]`);
      const ownKey = this.copy(key);
      this.#path[this.#path.length - 1] = `.values()[${copy.size}]`;
      copy.set(ownKey, this.copy(value));
      this.#path.pop();
    }
    return copy;
  }

  #copySet(source: Set<unknown>): Set<unknown> {
    this.#expectNoMembers(source);
    this.#take(OVERHEAD.bytes + OVERHEAD.entry * source.size);
    const copy = new Set<unknown>();
    for (const value of source) {
      this.#path.push(`.values()[${copy.size}]`);
      copy.add(this.copy(value));
      this.#path.pop();
    }
    return copy;
  }

  #expectNoMembers(source: object): void {
    const names = Reflect.ownKeys(source);
    // Every RegExp has one of its own.
    if (names.some((name) => name !== 'lastIndex'))
      throw this.#refuse(`${instanceName(source)} with members of its own`);
  }

  #expectPlain(source: ArrayBufferView | ArrayBuffer): void {
    if (!BYTE_TYPES.has(Object.getPrototypeOf(source) as object)) throw this.#refuse(instanceName(source));
  }

  #take(bytes: number): void {
    this.bytes += bytes;
    if (this.bytes > this.maxBytes) throw new NotStorable('', `larger than ${this.maxBytes} bytes`, true);
  }

  #refuse(problem: string): NotStorable {
    const steps = this.#path.slice(0, 20).map((step) => (typeof step === 'number' ? `[${step}]` : step));
    const path = steps.join('');
    return new NotStorable(path.length > 200 ? `${path.slice(0, 200)}…` : path, problem);
  }
}

const BYTE_TYPES = new Set<object>([
  Buffer.prototype,
  ArrayBuffer.prototype,
  DataView.prototype,
  Int8Array.prototype,
  Uint8Array.prototype,
  Uint8ClampedArray.prototype,
  Int16Array.prototype,
  Uint16Array.prototype,
  Int32Array.prototype,
  Uint32Array.prototype,
  Float32Array.prototype,
  Float64Array.prototype,
  BigInt64Array.prototype,
  BigUint64Array.prototype,
]);

/** Of a value that came through `ownCopy`: nothing has to be asked of it any more. The way of every hit. */
export function copyOf(value: unknown): unknown {
  return typeof value === 'object' && value !== null ? copyObject(value) : value;
}

function copyObject(source: object): object {
  const type: unknown = Object.getPrototypeOf(source);
  if (type === Object.prototype) return copyMembers({ ...source });
  if (Array.isArray(source)) return copyElements(source);
  if (type === null) return copyMembers(Object.assign(Object.create(null) as object, source));
  if (type === Date.prototype) return new Date((source as Date).getTime());
  if (type === Map.prototype) {
    const copy = new Map<unknown, unknown>();
    for (const [key, value] of source as Map<unknown, unknown>) copy.set(copyOf(key), copyOf(value));
    return copy;
  }
  if (type === Set.prototype) {
    const copy = new Set<unknown>();
    for (const value of source as Set<unknown>) copy.add(copyOf(value));
    return copy;
  }
  if (source instanceof RegExp) return new RegExp(source.source, source.flags);
  if (source instanceof URL) return new URL(source.href);
  return copyBytes(source as ArrayBufferView | ArrayBuffer);
}

function copyMembers(copy: object): object {
  const members = copy as Record<string, unknown>;
  for (const name of Object.keys(members)) {
    const member = members[name];
    if (typeof member === 'object' && member !== null) members[name] = copyObject(member);
  }
  return copy;
}

function copyElements(source: readonly unknown[]): unknown[] {
  const copy = source.slice();
  for (let at = 0; at < copy.length; at++) {
    const element = copy[at];
    if (typeof element === 'object' && element !== null) copy[at] = copyObject(element);
  }
  return copy;
}

/** In memory of its own: what is beside a small Buffer in its pool is somebody else's. */
function copyBytes(source: ArrayBufferView | ArrayBuffer): ArrayBufferView | ArrayBuffer {
  if (source instanceof ArrayBuffer) return source.slice(0);
  if (Buffer.isBuffer(source)) {
    const copy = Buffer.allocUnsafeSlow(source.length);
    copy.set(source);
    return copy;
  }
  const bytes = new Uint8Array(source.byteLength);
  bytes.set(new Uint8Array(source.buffer, source.byteOffset, source.byteLength));
  const Type = source.constructor as new (buffer: ArrayBuffer) => ArrayBufferView;
  return new Type(bytes.buffer);
}

function freeze(value: unknown, path: string): void {
  if (typeof value !== 'object' || value === null) return;
  const isList = Array.isArray(value);
  if (!isList && !isPlainObject(value))
    throw new NotStorable(path, `${instanceName(value)}, which can't be frozen,`);
  for (const [name, member] of Object.entries(value))
    freeze(member, path + (isList ? `[${name}]` : `.${name}`));
  Object.freeze(value);
}

function instanceName(value: object): string {
  const name = classNameOf(value);
  return name === undefined ? 'an instance of a class without a name' : `an instance of ${name}`;
}

/** One character outside of Latin-1 makes all of a text take two bytes for each. */
function sizeOfText(text: string): number {
  return OVERHEAD.element + 16 + (/[\u0100-\uffff]/.test(text) ? text.length * 2 : text.length);
}
