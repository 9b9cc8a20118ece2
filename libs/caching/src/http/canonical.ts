/** Data that has no one canonical form, or more of it than a key may hold. */
export class NotCanonical extends Error {
  override readonly name = 'NotCanonical';
}

export interface CanonicalLimits {
  /** The longest text, in bytes of UTF-8. */
  readonly maxLength: number;
  readonly maxDepth: number;
}

/**
 * Text that is the same for two values exactly when a handler could not tell them apart (but for the order of
 * members): member order does not matter, array order does, `1` differs from `"1"`, and `-0` from `0`.
 * Only what a JSON or form parser makes is accepted: plain objects, arrays, strings, numbers, booleans, null.
 *
 * @throws NotCanonical for anything else, and beyond the limits
 */
export function canonicalize(value: unknown, limits: CanonicalLimits): string {
  let length = 0;
  const add = (text: string): string => {
    length += Buffer.byteLength(text);
    if (length > limits.maxLength) throw new NotCanonical('too long');
    return text;
  };
  const write = (item: unknown, depth: number): string => {
    if (depth > limits.maxDepth) throw new NotCanonical('too deep');
    switch (typeof item) {
      case 'string':
        return add(JSON.stringify(item));
      case 'boolean':
        return add(String(item));
      case 'number':
        // JSON.stringify turns -0 into 0 and an overflow (1e400 is Infinity) into null; a handler sees them.
        return add(Object.is(item, -0) ? '-0' : String(item));
      case 'object':
        if (item === null) return add('null');
        if (Array.isArray(item)) {
          add('[]');
          return `[${item.map((element) => add(',') && write(element, depth + 1)).join(',')}]`;
        }
        return writeObject(item, depth);
      default:
        throw new NotCanonical(`a ${typeof item}`);
    }
  };
  const writeObject = (item: object, depth: number): string => {
    if (!isPlain(item)) throw new NotCanonical('not plain data');
    add('{}');
    const names = Object.keys(item);
    // `"":0,` is the least that each takes; sorting a million names first would hold everybody up.
    if (length + names.length * 5 > limits.maxLength) throw new NotCanonical('too long');
    const members = names.sort().map((name) => {
      // Read as own data: `__proto__` parsed from JSON is an own member, and only that.
      const member: unknown = Object.getOwnPropertyDescriptor(item, name)?.value;
      return `${add(JSON.stringify(name))}${add(':')}${write(member, depth + 1)}`;
    });
    return `{${members.join(',')}}`;
  };
  return write(value, 0);
}

/** An object that inherits nothing but `Object.prototype`: what parsers make, with or without a prototype. */
function isPlain(item: object): boolean {
  const prototype = Object.getPrototypeOf(item) as object | null;
  if (prototype === null || prototype === Object.prototype) return true;
  // Fastify's form parser gives its objects an empty prototype of their own.
  return Object.getPrototypeOf(prototype) === null && Reflect.ownKeys(prototype).length === 0;
}
