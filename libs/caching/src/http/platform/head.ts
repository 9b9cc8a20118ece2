import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { HeaderBag } from '../header-diff.js';
import { weakened } from '../semantics/entity-tag.js';
import type { RecordedHead } from '../storing-decision.js';
import { replaceMethod } from './replace-method.js';

/** What was given to `writeHead`, in one shape. */
export interface WriteHeadArguments {
  readonly status: number;
  readonly statusMessage?: string;
  readonly headers: readonly (readonly [string, HeaderBag[string]])[];
}

export type WriteHeadParameters = [status: number, reasonOrHeaders?: unknown, headers?: unknown];

export function parseWriteHead([status, reasonOrHeaders, headers]: WriteHeadParameters): WriteHeadArguments {
  const given = typeof reasonOrHeaders === 'string' ? headers : (headers ?? reasonOrHeaders);
  return {
    status,
    ...(typeof reasonOrHeaders === 'string' && { statusMessage: reasonOrHeaders }),
    headers: Array.isArray(given)
      ? pairs(given as unknown[])
      : Object.entries((given ?? {}) as OutgoingHttpHeaders),
  };
}

/** Node takes `[name, value, …]` as well as `[[name, value], …]`. */
function pairs(list: readonly unknown[]): (readonly [string, HeaderBag[string]])[] {
  if (Array.isArray(list[0])) return list as (readonly [string, HeaderBag[string]])[];
  const found: (readonly [string, HeaderBag[string]])[] = [];
  for (let at = 0; at < list.length; at += 2) found.push([list[at] as string, list[at + 1] as string]);
  return found;
}

/** The value of a field in what was given to `writeHead`. */
export function givenField(args: WriteHeadParameters, field: string): HeaderBag[string] {
  const [, reasonOrHeaders, headers] = args;
  const given = typeof reasonOrHeaders === 'string' ? headers : (headers ?? reasonOrHeaders);
  if (given === undefined || given === null) return undefined;
  if (Array.isArray(given)) return pairs(given).find(([name]) => isField(name, field))?.[1];
  for (const name in given) {
    if (isField(name, field)) return (given as Record<string, HeaderBag[string]>)[name];
  }
  return undefined;
}

function isField(name: string, field: string): boolean {
  return name === field || (name.length === field.length && name.toLowerCase() === field);
}

/** The head as node will send it. */
export function readHead(
  res: ServerResponse,
  given: WriteHeadArguments | undefined,
  delivery: RecordedHead['delivery'],
): RecordedHead {
  if (given === undefined || given.headers.length === 0) {
    return {
      status: given?.status ?? res.statusCode,
      statusMessage: given?.statusMessage ?? reasonOf(res),
      headers: res.getHeaders(),
      names: wireNames(res),
      delivery,
    };
  }
  const headers: Record<string, HeaderBag[string]> = { ...res.getHeaders() };
  const names = new Map(wireNames(res).map((name) => [name.toLowerCase(), name]));
  const repeated = new Set<string>();
  for (const [name, value] of given.headers) {
    const field = name.toLowerCase();
    // A list may name a field several times, and all of them are sent.
    headers[field] = repeated.has(field) ? [headers[field], value].flat().map(String) : value;
    repeated.add(field);
    names.set(field, name);
  }
  return {
    status: given.status,
    statusMessage: given.statusMessage ?? reasonOf(res),
    headers,
    names: [...names.values()],
    delivery,
  };
}

/** The reason phrase that the handler chose; HTTP/2 has none. */
export function reasonOf(res: ServerResponse): string | undefined {
  return res.req.httpVersionMajor < 2 && res.statusMessage ? res.statusMessage : undefined;
}

/** Sets it where there is one: HTTP/2 would warn. */
export function setReason(res: ServerResponse, reason: string): void {
  if (res.req.httpVersionMajor < 2) res.statusMessage = reason;
}

/** Names of a response's fields as they will be on the wire. Node has this for all messages, its types don't say so. */
function wireNames(response: ServerResponse): string[] {
  // HTTP/2 has lower-case names only, and no such method.
  const { getRawHeaderNames } = response as ServerResponse & { getRawHeaderNames?: () => string[] };
  return getRawHeaderNames?.call(response) ?? response.getHeaderNames();
}

/**
 * Compression that acts behind the cache makes other bytes of a body, which its strong tag is not of
 * (RFC 9110 §8.8.3.3). To be called when the head is complete.
 */
export function weakenCodedTag(res: ServerResponse): void {
  const etag = res.getHeader('etag');
  if (typeof etag === 'string' && etag.startsWith('"') && res.hasHeader('content-encoding'))
    res.setHeader('ETag', weakened(etag));
}

const STORE_HEADER = '_storeHeader';

/**
 * Calls `look` when the head is complete and nothing of it has left: sessions and the like add their fields as late
 * as inside `writeHead`, by ways that can't be watched one by one. Node writes the head through this inner method;
 * where a later Node has none, a late cookie is still not stored, only the response's verdict does not tell.
 */
export function onHeadComplete(res: ServerResponse, look: () => void): void {
  const inner = res as ServerResponse & { [STORE_HEADER]?: (...args: unknown[]) => unknown };
  const storeHeader = inner[STORE_HEADER];
  if (typeof storeHeader !== 'function') return;
  replaceMethod(inner, STORE_HEADER, (...args: unknown[]) => {
    look();
    return storeHeader.apply(res, args);
  });
}
