import { AssertionError } from 'node:assert/strict';
import { ask, type TestReply, type TestRequest } from './ask.js';
import type { TestedApplication } from './recorded-events.js';

/**
 * Fails unless the second of two such requests is answered from the cache, as the first was, byte for byte.
 *
 * These helpers throw an `AssertionError` of node: they work in vitest, jest and `node:test` alike. The application
 * needs to be initialised (`app.init()`); it need not listen.
 *
 * @returns the answer from the cache
 * @throws AssertionError which says why the request was not answered from the cache
 * @example
 * await expectCached(app, '/books?page=2');
 * await expectCached(app, { path: '/books/search', body: { title: 'Emma' } });
 */
export async function expectCached(app: TestedApplication, request: TestRequest): Promise<TestReply> {
  const first = await ask(app, request);
  const second = await ask(app, request);
  if (!isCached(second))
    throw failure(expectCached, request, `should be cached, but ${explain(first, second)}`);
  if (first.status !== second.status || !first.body.equals(second.body))
    throw failure(
      expectCached,
      request,
      `should be answered as before, but was ${first.status} with ${first.body.length} bytes ` +
        `and then ${second.status} with ${second.body.length} bytes`,
    );
  return second;
}

/**
 * Fails if the second of two such requests is answered from the cache, or if the reason is another one.
 *
 * @param reason why it is not cached, as in `Cache-Status` (docs/troubleshooting.md). Default: any
 * @throws AssertionError
 * @example
 * await expectNotCached(app, { path: '/me', headers: { cookie: 'session=a' } }, 'credentials');
 */
export async function expectNotCached(
  app: TestedApplication,
  request: TestRequest,
  reason?: string,
): Promise<TestReply> {
  await ask(app, request);
  const second = await ask(app, request);
  if (isCached(second)) throw failure(expectNotCached, request, 'should not be cached, but is');
  if (reason !== undefined && second.reason !== reason)
    throw failure(
      expectNotCached,
      request,
      `should not be cached because of "${reason}", but because of "${second.reason ?? 'no reason'}"`,
    );
  return second;
}

/**
 * Fails unless a request is cached, and is not any more after `act`.
 *
 * @param act what evicts, such as a request that writes
 * @returns the first answer after it
 * @throws AssertionError
 * @example
 * await expectEvicted(app, '/books', () => request(app.getHttpServer()).post('/books').send({ title: 'Emma' }));
 */
export async function expectEvicted(
  app: TestedApplication,
  request: TestRequest,
  act: () => unknown,
): Promise<TestReply> {
  await expectCached(app, request);
  await act();
  const after = await ask(app, request);
  if (isCached(after)) throw failure(expectEvicted, request, 'should be evicted, but is still cached');
  return after;
}

function isCached({ verdict }: TestReply): boolean {
  return verdict === 'hit' || verdict === 'stale';
}

function explain(first: TestReply, { verdict, reason, status }: TestReply): string {
  if (verdict === undefined)
    return `no cached route answered it (${status}): does its handler have @CacheView(), and is caching enabled?`;
  if (verdict === 'bypassed') return `it bypasses the cache: "${reason}"`;
  const why = reason ?? first.reason;
  return why === undefined
    ? 'its handler ran again: the two requests have different keys, or the entry is not kept'
    : `its response is not stored: "${why}"`;
}

function failure(
  stackStartFn: (...args: never[]) => unknown,
  request: TestRequest,
  what: string,
): AssertionError {
  const { path, method } = typeof request === 'string' ? { path: request, method: undefined } : request;
  const name = `${method ?? (typeof request !== 'string' && request.body !== undefined ? 'POST' : 'GET')} ${path}`;
  return new AssertionError({ message: `${name} ${what}`, stackStartFn });
}
