/** Inherits nothing but `Object.prototype`, also that of another realm, or nothing at all. */
export function isPlainObject(value: object): boolean {
  const type = Object.getPrototypeOf(value) as object | null;
  if (type === null || type === Object.prototype) return true;
  return Object.getPrototypeOf(type) === null && Object.hasOwn(type, 'isPrototypeOf');
}

/** The name of its class, for messages and keys; `undefined` where it has none. */
export function classNameOf(value: object): string | undefined {
  const name: unknown = (value as { constructor?: { name?: unknown } }).constructor?.name;
  return typeof name === 'string' && name !== '' ? name : undefined;
}
