import type { HeaderField, StoredResponse } from '../../cache/entry.js';

/** Paths that are told of one difference; the rest is more of the same. */
export const MAX_PATHS = 20;

/** Data may be filed under names as long as it likes, and what is told of goes to logs. */
const MAX_PATH_LENGTH = 200;

/** Deeper than data is nested on purpose. */
const MAX_DEPTH = 64;

/** A body that takes longer to parse than a request should wait is only said to differ. Bytes. */
const MAX_PARSED = 1024 * 1024;

/**
 * Fields that differ from one run of a handler to the next by what they are: when it ran, how long it took, which
 * request it was. An entity tag or a date of the last change tells nothing that the body does not.
 */
const OF_ONE_RUN =
  /^(?:age|cache-control|cdn-cache-control|date|etag|expires|last-modified|server-timing|traceparent|x-(?:correlation-id|request-id|response-time|runtime|trace-id)|(?:x-)?ratelimit-.*)$/;

/**
 * In what a response differs from another that should be the same: `status`, `headers.vary`, `body`, or paths in its
 * JSON such as `$.books[3].price`. Names and places only, no values.
 */
export function differences(stored: StoredResponse, now: StoredResponse): readonly string[] {
  const paths: string[] = [];
  if (stored.status !== now.status) paths.push('status');
  diffFields(stored.headers, now.headers, paths);
  const { body: before = Buffer.alloc(0) } = stored;
  const { body: after = Buffer.alloc(0) } = now;
  if (!before.equals(after)) diffBodies(before, after, paths);
  return paths.slice(0, MAX_PATHS).map(shortened);
}

function shortened(path: string): string {
  return path.length > MAX_PATH_LENGTH ? `${path.slice(0, MAX_PATH_LENGTH)}…` : path;
}

function diffFields(before: readonly HeaderField[], after: readonly HeaderField[], paths: string[]): void {
  const [one, other] = [before, after].map(
    (fields) => new Map(fields.map(([name, value]) => [name.toLowerCase(), String(value)])),
  ) as [Map<string, string>, Map<string, string>];
  for (const name of new Set([...one.keys(), ...other.keys()])) {
    // How long the body is says the body.
    if (name === 'content-length' || OF_ONE_RUN.test(name)) continue;
    if (one.get(name) !== other.get(name)) paths.push(`headers.${name}`);
  }
}

function diffBodies(before: Buffer, after: Buffer, paths: string[]): void {
  const [one, other] = [parse(before), parse(after)];
  const found: string[] = [];
  if (one !== undefined && other !== undefined) diffValues(one, other, '$', found, 0);
  // No JSON; or the same in JSON, spelt another way.
  paths.push(...(found.length > 0 ? found : ['body']));
}

function parse(body: Buffer): object | undefined {
  const first = body[0];
  // Only objects and arrays have a place to name.
  if (body.length > MAX_PARSED || (first !== 0x7b && first !== 0x5b)) return undefined;
  try {
    return JSON.parse(body.toString()) as object;
  } catch {
    // What only looks like JSON is compared as bytes.
    return undefined;
  }
}

function diffValues(before: unknown, after: unknown, path: string, found: string[], depth: number): void {
  if (found.length >= MAX_PATHS || Object.is(before, after)) return;
  if (!isBranch(before) || !isBranch(after) || depth > MAX_DEPTH) {
    found.push(path);
    return;
  }
  if (Array.isArray(before) !== Array.isArray(after)) {
    found.push(path);
    return;
  }
  if (Array.isArray(before) && Array.isArray(after)) {
    if (before.length !== after.length) found.push(`${path}.length`);
    const shorter = Math.min(before.length, after.length);
    for (let at = 0; at < shorter; at++)
      diffValues(before[at], after[at], `${path}[${at}]`, found, depth + 1);
    return;
  }
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const place = /^[A-Za-z_$][\w$]*$/.test(name) ? `${path}.${name}` : `${path}[${JSON.stringify(name)}]`;
    if (Object.hasOwn(before, name) && Object.hasOwn(after, name))
      diffValues(before[name], after[name], place, found, depth + 1);
    else found.push(place);
  }
}

function isBranch(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
