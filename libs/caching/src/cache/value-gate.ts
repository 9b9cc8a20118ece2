import { isPlainObject } from './plain-object.js';
import { copyOf } from './value-copy.js';
import { hasMoreToIt, instanceName, kindOf, type ValueKind, withMoreToIt } from './value-kinds.js';

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
    try {
      return this.#copyKnown(source);
    } catch (error) {
      if (error instanceof NotStorable) throw error;
      // A Proxy, or what only inherits from a known class.
      throw this.#refuse("data that can't be read");
    } finally {
      this.#depth--;
    }
  }

  #copyKnown(source: object): unknown {
    const kind = kindOf(source);
    if (kind === undefined) throw this.#refuse(instanceName(source));
    if (hasMoreToIt(source, kind)) throw this.#refuse(withMoreToIt(source));
    switch (kind) {
      case 'list':
        return this.#copyList(source as readonly unknown[]);
      case 'members':
        return this.#copyMembers(source);
      case 'map':
        return this.#copyMap(source as Map<unknown, unknown>);
      case 'set':
        return this.#copySet(source as Set<unknown>);
      default:
        this.#take(sizeOfLeaf(source, kind));
        if (kind === 'pattern') this.#expectPlace(source as RegExp);
        return copyOf(source);
    }
  }

  #copyList(source: readonly unknown[]): unknown[] {
    this.#take(OVERHEAD.list + OVERHEAD.element * source.length);
    const copy: unknown[] = [];
    for (let at = 0; at < source.length; at++) {
      this.#path.push(at);
      if (!Object.hasOwn(source, at)) throw this.#refuse('a hole');
      copy.push(this.copy(source[at]));
      this.#path.pop();
    }
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
    this.#take(OVERHEAD.bytes + OVERHEAD.entry * source.size);
    const copy = new Set<unknown>();
    for (const value of source) {
      this.#path.push(`.values()[${copy.size}]`);
      copy.add(this.copy(value));
      this.#path.pop();
    }
    return copy;
  }

  /** Anything may be written there. */
  #expectPlace({ lastIndex }: RegExp): void {
    if (!(Number.isSafeInteger(lastIndex) && lastIndex >= 0))
      throw this.#refuse('a pattern with a lastIndex that is none');
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

function sizeOfLeaf(source: object, kind: ValueKind): number {
  if (kind === 'bytes') return OVERHEAD.bytes + (source as ArrayBuffer).byteLength * 2;
  if (kind === 'url') return OVERHEAD.object + (source as URL).href.length;
  return OVERHEAD.object + (kind === 'pattern' ? (source as RegExp).source.length : 0);
}

/** @throws NotStorable for what could be written to all the same */
export function freeze(value: unknown, path = ''): void {
  if (typeof value !== 'object' || value === null) return;
  const isList = Array.isArray(value);
  if (!isList && !isPlainObject(value))
    throw new NotStorable(path, `${instanceName(value)}, which can't be frozen,`);
  for (const [name, member] of Object.entries(value))
    freeze(member, path + (isList ? `[${name}]` : `.${name}`));
  Object.freeze(value);
}

/** Whether nobody can write to it anywhere, of a value that came through `ownCopy`. */
export function isFrozenThrough(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (!Object.isFrozen(value) || !(Array.isArray(value) || isPlainObject(value))) return false;
  return Object.values(value).every(isFrozenThrough);
}

/** One character outside of Latin-1 makes all of a text take two bytes for each. */
function sizeOfText(text: string): number {
  return OVERHEAD.element + 16 + (/[\u0100-\uffff]/.test(text) ? text.length * 2 : text.length);
}
