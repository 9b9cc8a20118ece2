import { hash } from 'node:crypto';
import { isArrayBufferView } from 'node:util/types';
import { classNameOf, isPlainObject } from '../cache/plain-object.js';

/** How deep data in an argument may lie. */
const MAX_DEPTH = 64;

/** Characters of a key before it is hashed: what makes one longer than this is no key. */
const MAX_LENGTH = 4 * 1024 * 1024;

/** More bytes than this stand in a key by their digest. */
const MAX_BYTES = 48;

/** An argument that can't be told from others by what it holds. */
export class NotKeyable extends Error {
  override readonly name = 'NotKeyable';

  /** @param path from the argument's index on, such as `[0].owner` */
  constructor(
    readonly path: string,
    readonly problem: string,
    /** It could, if there were less of it. */
    readonly isTooLong = false,
  ) {
    super(`${path} is ${problem}`);
  }
}

/**
 * Text that is the same for two lists of arguments exactly when a function could not tell them apart, but for the order
 * of an object's members. Every part says of what kind it is and where it ends. A `Map` and a `Set` count in their
 * order, which functions see. An instance of a class is known by its class' name and its `cacheId()`.
 *
 * @throws NotKeyable for functions, symbols, promises and instances without a `cacheId()`, and beyond the limits
 */
export function keyOfArguments(args: readonly unknown[]): string {
  let text = '';
  // Most arguments are texts and numbers: what is needed for others is made for others only.
  for (let at = 0; at < args.length; at++) {
    const value = args[at];
    if (typeof value === 'string') text += `s${value.length}:${value}`;
    else if (typeof value === 'number') text += keyOfNumber(value);
    else text += new Writer(at).write(value);
  }
  if (text.length > MAX_LENGTH) throw new NotKeyable('', `longer than ${MAX_LENGTH} characters`, true);
  return text;
}

/** `-0` is told from `0`, as a function may. */
function keyOfNumber(value: number): string {
  return value === 0 && 1 / value < 0 ? 'd-0;' : `d${value};`;
}

class Writer {
  #length = 0;
  #depth = 0;
  readonly #path: string[];

  constructor(argument: number) {
    this.#path = [`[${argument}]`];
  }

  write(value: unknown): string {
    switch (typeof value) {
      case 'string':
        return this.#add(`s${value.length}:${value}`);
      case 'number':
        return this.#add(keyOfNumber(value));
      case 'bigint':
        return this.#add(`i${value};`);
      case 'boolean':
        return this.#add(value ? 't' : 'f');
      case 'undefined':
        return this.#add('u');
      case 'object':
        return value === null ? this.#add('n') : this.#writeObject(value);
      default:
        throw this.#refuse(`a ${typeof value}`);
    }
  }

  #writeObject(value: object): string {
    if (++this.#depth > MAX_DEPTH) throw this.#refuse(`nested deeper than ${MAX_DEPTH} levels, or in itself`);
    const text = this.#writeKnown(value);
    this.#depth--;
    return text;
  }

  #writeKnown(value: object): string {
    const { cacheId } = value as { cacheId?: unknown };
    if (typeof cacheId === 'function') return this.#writeIdentified(value as { cacheId(): unknown });
    if (Array.isArray(value)) return this.#writeList(value);
    if (isArrayBufferView(value) || value instanceof ArrayBuffer) return this.#writeBytes(value);
    if (isPlainObject(value)) return this.#writeMembers(value as Record<string, unknown>);
    const type: unknown = Object.getPrototypeOf(value);
    if (type === Date.prototype) return this.#add(`D${(value as Date).getTime()};`);
    if (type === URL.prototype) return this.#add(this.#named('U', (value as URL).href));
    if (type === RegExp.prototype) {
      const { source, flags, lastIndex } = value as RegExp;
      return this.#add(this.#named('R', source) + this.#named('', flags) + `${lastIndex};`);
    }
    if (type === Map.prototype) return this.#writeMap(value as Map<unknown, unknown>);
    if (type === Set.prototype) return this.#writeSet(value as Set<unknown>);
    throw this.#refuse(`an instance of ${nameOf(value)}, which has no cacheId()`);
  }

  #writeIdentified(value: { cacheId(): unknown }): string {
    const id = value.cacheId();
    const isId = typeof id === 'string' ? id !== '' : typeof id === 'bigint' || Number.isFinite(id);
    if (!isId)
      throw this.#refuse(
        `an instance of ${nameOf(value)} whose cacheId() is no non-empty text, number or bigint`,
      );
    return this.#add(this.#named('C', nameOf(value))) + this.write(id);
  }

  #writeList(value: readonly unknown[]): string {
    let text = this.#add(`[${value.length}:`);
    for (let at = 0; at < value.length; at++) {
      // forEach skips a hole, so a function may tell it from undefined.
      text += Object.hasOwn(value, at) ? this.#at(`[${at}]`, value[at]) : this.#add('h');
    }
    return text;
  }

  #writeMembers(value: Readonly<Record<string, unknown>>): string {
    if (Object.getOwnPropertySymbols(value).length > 0)
      throw this.#refuse('an object with members that are named by symbols');
    const names = Object.keys(value).sort();
    let text = this.#add(`{${names.length}:`);
    for (const name of names) text += this.#add(this.#named('', name)) + this.#at(`.${name}`, value[name]);
    return text;
  }

  #writeMap(value: ReadonlyMap<unknown, unknown>): string {
    let text = this.#add(`M${value.size}:`);
    let at = 0;
    for (const [key, member] of value) {
      text += this.#at(`.keys()[${at}]`, key) + this.#at(`.values()[${at}]`, member);
      at++;
    }
    return text;
  }

  #writeSet(value: ReadonlySet<unknown>): string {
    let text = this.#add(`S${value.size}:`);
    let at = 0;
    for (const member of value) text += this.#at(`.values()[${at++}]`, member);
    return text;
  }

  #writeBytes(value: ArrayBufferView | ArrayBuffer): string {
    const bytes =
      value instanceof ArrayBuffer
        ? Buffer.from(value)
        : Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    const content =
      bytes.length <= MAX_BYTES ? bytes.toString('base64url') : `#${hash('sha256', bytes, 'base64url')}`;
    return this.#add(this.#named('B', nameOf(value)) + `${bytes.length}:${content};`);
  }

  #at(step: string, value: unknown): string {
    this.#path.push(step);
    const text = this.write(value);
    this.#path.pop();
    return text;
  }

  #named(kind: string, text: string): string {
    return `${kind}${text.length}:${text}`;
  }

  #add(text: string): string {
    this.#length += text.length;
    if (this.#length > MAX_LENGTH)
      throw new NotKeyable(this.#path[0] ?? '', `longer than ${MAX_LENGTH} characters as a key`, true);
    return text;
  }

  #refuse(problem: string): NotKeyable {
    return new NotKeyable(this.#path.slice(0, 20).join('').slice(0, 200), problem);
  }
}

function nameOf(value: object): string {
  return classNameOf(value) ?? 'a class without a name';
}
