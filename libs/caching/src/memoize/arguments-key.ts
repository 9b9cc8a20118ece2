import { hash } from 'node:crypto';
import { classNameOf } from '../cache/plain-object.js';
import { hasMoreToIt, instanceName, kindOf, withMoreToIt } from '../cache/value-kinds.js';

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
    try {
      return this.#writeKnown(value);
    } catch (error) {
      if (error instanceof NotKeyable) throw error;
      // A Proxy, an accessor or a cacheId() that fails, or what only inherits from a known class.
      throw this.#refuse(
        `data that can't be read (${error instanceof Error ? error.message : String(error)})`,
      );
    } finally {
      this.#depth--;
    }
  }

  #writeKnown(value: object): string {
    const { cacheId } = value as { cacheId?: unknown };
    if (typeof cacheId === 'function') return this.#writeIdentified(value as { cacheId(): unknown });
    const kind = kindOf(value);
    if (kind === undefined) throw this.#refuse(`${instanceName(value)}, which has no cacheId()`);
    if (hasMoreToIt(value, kind)) throw this.#refuse(withMoreToIt(value));
    switch (kind) {
      case 'list':
        return this.#writeList(value as readonly unknown[]);
      case 'members':
        return this.#writeMembers(value as Record<string, unknown>);
      case 'bytes':
        return this.#writeBytes(value as ArrayBufferView | ArrayBuffer);
      case 'date':
        return this.#add(`D${(value as Date).getTime()};`);
      case 'url':
        return this.#add(this.#named('U', (value as URL).href));
      case 'pattern': {
        const { source, flags, lastIndex } = value as RegExp;
        return this.#add(this.#named('R', source) + this.#named('', flags) + `${lastIndex};`);
      }
      case 'map':
        return this.#writeMap(value as Map<unknown, unknown>);
      case 'set':
        return this.#writeSet(value as Set<unknown>);
    }
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
    const names = Object.keys(value).sort();
    const all = Reflect.ownKeys(value);
    if (all.length > names.length) throw this.#refuseHidden(all, names);
    let text = this.#add(`{${names.length}:`);
    for (const name of names) text += this.#add(this.#named('', name)) + this.#at(`.${name}`, value[name]);
    return text;
  }

  /** A function sees what would not be in the key. */
  #refuseHidden(names: readonly (string | symbol)[], seen: readonly string[]): NotKeyable {
    const hidden = names.find((name) => typeof name === 'symbol' || !seen.includes(name));
    if (typeof hidden !== 'string') return this.#refuse('an object with members that are named by symbols');
    this.#path.push(`.${hidden}`);
    return this.#refuse('a hidden member');
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
