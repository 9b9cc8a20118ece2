import { isArrayBufferView } from 'node:util/types';
import { classNameOf, isPlainObject } from './plain-object.js';

/** What an object may be that is known by what it holds. */
export type ValueKind = 'list' | 'members' | 'bytes' | 'date' | 'url' | 'pattern' | 'map' | 'set';

/** Nothing for instances of other classes, those derived from these included. */
export function kindOf(value: object): ValueKind | undefined {
  if (Array.isArray(value)) return classNameOf(value) === 'Array' ? 'list' : undefined;
  const type = Object.getPrototypeOf(value) as object | null;
  if (isArrayBufferView(value) || value instanceof ArrayBuffer)
    return type !== null && BYTE_TYPES.has(type) ? 'bytes' : undefined;
  if (isPlainObject(value)) return 'members';
  return type === null ? undefined : KINDS.get(type);
}

const KINDS = new Map<object, ValueKind>([
  [Date.prototype, 'date'],
  [URL.prototype, 'url'],
  [RegExp.prototype, 'pattern'],
  [Map.prototype, 'map'],
  [Set.prototype, 'set'],
]);

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

/**
 * Whether somebody has put more into an object than what its kind holds: that would be lost. Not told of typed arrays,
 * of which each element has a name.
 */
export function hasMoreToIt(value: object, kind: ValueKind): boolean {
  if (kind === 'members') return false;
  if (kind === 'bytes' && isArrayBufferView(value) && !(value instanceof DataView)) return false;
  const names = Reflect.ownKeys(value);
  // Every list has a length of its own, and every RegExp a place.
  if (kind === 'pattern') return names.length !== 1;
  if (kind !== 'list') return names.length > 0;
  const { length } = value as readonly unknown[];
  if (names.length === length + 1) return false;
  return names.some((name) => name !== 'length' && !isIndex(name, length));
}

function isIndex(name: string | symbol, length: number): boolean {
  if (typeof name === 'symbol') return false;
  const at = Number(name);
  return String(at) === name && Number.isInteger(at) && at >= 0 && at < length;
}

/** For messages. */
export function instanceName(value: object): string {
  const name = classNameOf(value);
  return name === undefined ? 'an instance of a class without a name' : `an instance of ${name}`;
}

/** For messages: what has more to it than its kind. */
export function withMoreToIt(value: object): string {
  return `${Array.isArray(value) ? 'a list' : instanceName(value)} with members of its own`;
}
