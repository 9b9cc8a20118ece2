/** Methods that are registered as safe (RFC 9110 §9.2.1 and §16.1.1): they ask for nothing to be changed. */
const SAFE_METHODS: ReadonlySet<string> = new Set([
  'GET',
  'HEAD',
  'OPTIONS',
  'PROPFIND',
  'QUERY',
  'REPORT',
  'SEARCH',
  'TRACE',
]);

/**
 * Whether a method is known to change nothing. Of any other, one whose safety is unknown included, a success makes
 * stored responses invalid (RFC 9111 §4.4).
 */
export function isSafe(method: string): boolean {
  return SAFE_METHODS.has(method);
}
