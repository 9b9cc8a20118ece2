import type { IncomingHttpHeaders } from 'node:http';
import { CacheUsageError, describe } from '../../caching.errors.js';
import type { ViewPolicy } from '../route-policy.js';
import type { DispatchOutcome, DispatchRequest } from './dispatch.js';
import type { Redispatcher } from './redispatch.js';

/** A request that fills the cache before anybody asks: a URL, or more. */
export type WarmRequest =
  | string
  | {
      /** Path and query as a client would send them, global prefix and version included. */
      readonly url: string;
      /** What the key reads; credentials only where the route's `scope` says whose its responses are. */
      readonly headers?: Readonly<Record<string, string>>;
      /** Sent as JSON, unless it is a text or bytes. */
      readonly body?: unknown;
    };

/** What became of one of them. */
export interface WarmProgress {
  readonly request: WarmRequest;
  /**
   * `stored`; `present`, as it was there already; `skipped`, its response is not one to store; `dropped`, no handler of
   * the route ran to its end.
   */
  readonly result: 'stored' | 'present' | 'skipped' | 'dropped';
  /** Why it was skipped or dropped. */
  readonly reason: string | undefined;
  readonly status: number | undefined;
  /** How many are done, this one included. */
  readonly done: number;
  /** How many there are, where that is known. */
  readonly total: number | undefined;
}

export interface WarmOptions {
  /** How many run at the same time, 1 to 32. Default 4. */
  readonly concurrency?: number;
  /** Handlers run also where there is a fresh response, which the new one replaces. Default false. */
  readonly renew?: boolean;
  /** Called after each of them. What it throws ends the warming. */
  readonly onProgress?: (progress: WarmProgress) => void;
  /** Ends it: what runs is finished, and no more is begun, nor waited for where `requests` come from a source that is silent. */
  readonly signal?: AbortSignal;
}

/** How many came to which end. */
export type WarmReport = Readonly<Record<WarmProgress['result'], number>>;

const MAX_CONCURRENCY = 32;

/** With caching switched off. */
const DISABLED = { result: 'dropped', reason: 'disabled', status: undefined } as const;

/** Sends requests for one route through the application, some at a time. */
export async function warmRoute(
  background: Redispatcher | undefined,
  view: ViewPolicy,
  requests: Iterable<WarmRequest> | AsyncIterable<WarmRequest>,
  { concurrency = 4, renew = false, onProgress, signal }: WarmOptions,
): Promise<WarmReport> {
  if (!Number.isInteger(concurrency) || concurrency < 1 || concurrency > MAX_CONCURRENCY)
    throw new CacheUsageError(
      `warm: concurrency is ${describe(concurrency)}; allowed: a whole number from 1 to ${MAX_CONCURRENCY}`,
    );
  const report = { stored: 0, present: 0, skipped: 0, dropped: 0 };
  const total = Array.isArray(requests) ? requests.length : undefined;
  const source = iterate(requests, signal);
  let done = 0;
  let hasFailed = false;
  const goesOn = (): boolean => !hasFailed && signal?.aborted !== true;
  const work = async (): Promise<void> => {
    while (goesOn()) {
      const next = await source.next();
      if (next.done === true) return;
      const dispatched = dispatchRequest(view, next.value);
      const outcome =
        background === undefined
          ? DISABLED
          : await background.run(dispatched, {
              purpose: 'warm',
              route: view.route,
              evenFresh: renew,
            });
      const progress = progressOf(next.value, outcome, ++done, total);
      report[progress.result]++;
      onProgress?.(progress);
    }
  };
  const workers = Array.from({ length: concurrency }, () =>
    work().catch((error: unknown) => {
      hasFailed = true;
      throw error;
    }),
  );
  // None of them goes on when this has ended.
  const ended = await Promise.allSettled(workers);
  await source.return(undefined);
  const failed = ended.find((each) => each.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  return report;
}

/** One at a time, whoever asks: several workers share it. It ends with the signal, also while the source is silent. */
async function* iterate(
  requests: Iterable<WarmRequest> | AsyncIterable<WarmRequest>,
  signal: AbortSignal | undefined,
): AsyncGenerator<WarmRequest, undefined> {
  const iterator = asyncIteratorOf(requests);
  let isOpen = true;
  try {
    for (;;) {
      // Who has waited for its turn may be told to end before it asks.
      if (signal?.aborted === true) return;
      // One that fails has ended.
      isOpen = false;
      const next = await nextOf(iterator, signal);
      if (next === undefined) {
        letGo(iterator);
        return;
      }
      if (next.done === true) return;
      isOpen = true;
      yield next.value;
    }
  } finally {
    if (isOpen) await iterator.return?.(undefined);
  }
}

async function* asyncOf<T>(source: Iterable<T>): AsyncGenerator<T, undefined> {
  yield* source;
}

function asyncIteratorOf<T>(source: Iterable<T> | AsyncIterable<T>): AsyncIterator<T> {
  const open = (source as Partial<AsyncIterable<T>>)[Symbol.asyncIterator];
  return open === undefined ? asyncOf(source as Iterable<T>) : open.call(source);
}

/** Nothing once the signal has said to end. */
function nextOf<T>(
  iterator: AsyncIterator<T>,
  signal: AbortSignal | undefined,
): Promise<IteratorResult<T> | undefined> {
  if (signal === undefined) return iterator.next();
  return new Promise((resolve, reject) => {
    const end = (): void => resolve(undefined);
    signal.addEventListener('abort', end, { once: true });
    void settled(() => iterator.next())
      .then(resolve, reject)
      .finally(() => signal.removeEventListener('abort', end));
  });
}

/** Closes a source that still owes its next: a generator closes after that only, so nobody waits, or hears of it. */
function letGo(iterator: AsyncIterator<unknown>): void {
  settled(() => iterator.return?.(undefined)).catch(() => undefined);
}

/** As `for await` does, takes what is no promise, and what is thrown, from iterators that are written by hand. */
async function settled<T>(ask: () => T | Promise<T>): Promise<T> {
  return ask();
}

function dispatchRequest({ method }: ViewPolicy, given: WarmRequest): DispatchRequest {
  const { url, headers = {}, body } = typeof given === 'string' ? { url: given } : (given ?? {});
  if (typeof url !== 'string' || !url.startsWith('/'))
    throw new CacheUsageError(`warm: a URL is ${describe(url)}; allowed: a path that begins with "/"`);
  const fields: IncomingHttpHeaders = Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
  );
  fields.host ??= 'localhost';
  if (body === undefined) return { method, target: url, headers: fields };
  const isText = typeof body === 'string' || body instanceof Uint8Array;
  const bytes = isText ? Buffer.from(body as string) : Buffer.from(JSON.stringify(body));
  if (!isText) fields['content-type'] ??= 'application/json';
  fields['content-length'] = String(bytes.length);
  return { method, target: url, headers: fields, body: bytes };
}

function progressOf(
  request: WarmRequest,
  outcome: DispatchOutcome | typeof DISABLED,
  done: number,
  total: number | undefined,
): WarmProgress {
  const { status } = outcome;
  const reason = 'reason' in outcome ? outcome.reason : undefined;
  const { result } = outcome;
  return { request, result: result === 'recorded' ? 'skipped' : result, reason, status, done, total };
}
