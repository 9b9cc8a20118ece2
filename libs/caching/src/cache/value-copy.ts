/** A copy of a value that came through `ownCopy`: nothing has to be asked of it any more. The way of every hit. */
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
  if (source instanceof RegExp) return copyPattern(source);
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

function copyPattern(source: RegExp): RegExp {
  const copy = new RegExp(source.source, source.flags);
  copy.lastIndex = source.lastIndex;
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
