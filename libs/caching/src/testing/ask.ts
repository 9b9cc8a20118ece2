import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { CacheEvent } from '../observe/cache-event.js';
import { RecordedEvents, type TestedApplication } from './recorded-events.js';

/** A request as a test writes it: a path, or more. */
export type TestRequest =
  | string
  | {
      /** With its query. */
      readonly path: string;
      /** Default `GET`, and `POST` with a body. */
      readonly method?: string;
      readonly headers?: Readonly<Record<string, string>>;
      /** Sent as JSON, unless it is a text. */
      readonly body?: unknown;
    };

/** What came of a request. */
export interface TestReply {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Buffer;
  /** How it was answered; nothing where no cached route took it. */
  readonly verdict: 'hit' | 'stale' | 'coalesced' | 'miss' | 'bypassed' | 'refresh' | undefined;
  /** Why it bypassed the cache, or why its response was not stored. */
  readonly reason: string | undefined;
}

/** Looks, 10 ms apart, whether a response is stored. */
const MAX_WAITS = 50;

/** A request ends in one of these. */
const VERDICTS: ReadonlySet<string> = new Set(['hit', 'stale', 'coalesced', 'handled', 'bypassed']);

/** Sends a request to the application, and waits until its response is stored, or known not to be. */
export async function ask(app: TestedApplication, request: TestRequest): Promise<TestReply> {
  const server = app.getHttpServer() as Server;
  const isOurs = !server.listening;
  if (isOurs) await listen(server);
  const events = new RecordedEvents(app);
  try {
    const response = await fetch(...fetchArguments((server.address() as AddressInfo).port, request));
    const body = Buffer.from(await response.arrayBuffer());
    const verdict = await verdictOf(events);
    return { status: response.status, headers: response.headers, body, ...verdict };
  } finally {
    events.stop();
    if (isOurs) await close(server);
  }
}

function fetchArguments(port: number, given: TestRequest): [string, RequestInit] {
  const { path, method, headers = {}, body } = typeof given === 'string' ? { path: given } : given;
  const isText = typeof body === 'string';
  return [
    `http://127.0.0.1:${port}${path}`,
    {
      method: method ?? (body === undefined ? 'GET' : 'POST'),
      redirect: 'manual',
      headers: { ...(body !== undefined && !isText && { 'content-type': 'application/json' }), ...headers },
      ...(body !== undefined && { body: isText ? body : JSON.stringify(body) }),
    },
  ];
}

/** Storing is off the way of the reply: it may end a moment after it. */
async function verdictOf(events: RecordedEvents): Promise<Pick<TestReply, 'verdict' | 'reason'>> {
  const told = events.all.find(({ type }) => VERDICTS.has(type));
  if (told === undefined) return { verdict: undefined, reason: undefined };
  const verdict = verdictNamed(told);
  if (verdict !== 'miss' && verdict !== 'refresh')
    return { verdict, reason: verdict === 'bypassed' ? reasonOf(told) : undefined };
  const ending = () => events.all.find(({ type }) => type === 'stored' || type === 'skipped');
  // A store that keeps nothing, or fails, tells of nothing.
  for (let waits = 0; waits < MAX_WAITS && ending() === undefined; waits++) await pause(10);
  const ended = ending();
  return { verdict, reason: ended?.type === 'skipped' ? reasonOf(ended) : undefined };
}

function verdictNamed(event: CacheEvent): TestReply['verdict'] {
  if (event.type !== 'handled') return event.type as TestReply['verdict'];
  return event.reason === 'callback' || event.reason === 'request' ? 'refresh' : 'miss';
}

function reasonOf(event: CacheEvent): string | undefined {
  return 'reason' in event ? event.reason : undefined;
}

function listen(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
