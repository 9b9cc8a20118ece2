import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { HeaderBag } from '../header-diff.js';
import type { RecordedHead } from '../view-recording.js';

/** What was given to `writeHead`, in one shape. */
export interface WriteHeadArguments {
  readonly status: number;
  readonly statusMessage?: string;
  readonly headers: readonly (readonly [string, HeaderBag[string]])[];
}

export type WriteHeadParameters = [status: number, reasonOrHeaders?: unknown, headers?: unknown];

export function parseWriteHead([status, reasonOrHeaders, headers]: WriteHeadParameters): WriteHeadArguments {
  const given = typeof reasonOrHeaders === 'string' ? headers : reasonOrHeaders;
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
export function givenField({ headers }: WriteHeadArguments, field: string): HeaderBag[string] {
  return headers.find(([name]) => name.toLowerCase() === field)?.[1];
}

/** The head as node will send it. */
export function readHead(
  res: ServerResponse,
  given: WriteHeadArguments | undefined,
  delivery: RecordedHead['delivery'],
): RecordedHead {
  const headers: Record<string, HeaderBag[string]> = { ...res.getHeaders() };
  const names = new Map(wireNames(res).map((name) => [name.toLowerCase(), name]));
  for (const [name, value] of given?.headers ?? []) {
    headers[name.toLowerCase()] = value;
    names.set(name.toLowerCase(), name);
  }
  return {
    status: given?.status ?? res.statusCode,
    statusMessage: given?.statusMessage ?? (res.statusMessage || undefined),
    headers,
    names: [...names.values()],
    delivery,
  };
}

/** Names of a response's fields as they will be on the wire. Node has this for all messages, its types don't say so. */
function wireNames(response: ServerResponse): string[] {
  return (response as ServerResponse & { getRawHeaderNames(): string[] }).getRawHeaderNames();
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
  inner[STORE_HEADER] = (...args) => {
    look();
    return storeHeader.apply(res, args);
  };
}
