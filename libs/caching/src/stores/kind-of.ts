/**
 * What a value is, in words: for errors about values that may hold a password, which neither their message nor the
 * error itself may carry on.
 */
export function kindOf(value: unknown): string {
  if (value === undefined || value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
