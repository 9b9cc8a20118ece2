import { isDeepStrictEqual } from 'node:util';
import { header, row } from './table.js';

export interface DemoRequest {
  readonly method: string;
  readonly path: string;
  /** As GET /stats counts it. */
  readonly handler: string;
  readonly body?: unknown;
  readonly cookie?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Expectation {
  readonly status: number;
  /** What X-Cache says. */
  readonly verdict: string;
  /** How often the handler runs for this request; `'later'` where it does in the background. */
  readonly runs: number | 'later';
  /** What `Cache-Status` says, or a part of it. */
  readonly detail?: string;
  /** Whether the body is as it should be. */
  readonly body?: (body: string) => boolean;
}

export interface Played {
  readonly body: string;
  readonly cookie: string;
  readonly etag: string;
  readonly milliseconds: number;
}

/** Plays requests one after the other, prints each, and remembers what came out otherwise than expected. */
export class Player {
  readonly failures: string[] = [];

  constructor(
    readonly url: string,
    private readonly print: (line: string) => void,
  ) {}

  chapter(title: string): void {
    this.print(`\n${title}\n${header()}\n`);
  }

  async play(what: string, request: DemoRequest, expected: Expectation): Promise<Played> {
    const runsBefore = await this.runs(request.handler);
    const start = performance.now();
    const response = await fetch(this.url + request.path, {
      method: request.method,
      redirect: 'manual',
      headers: {
        ...request.headers,
        ...(request.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(request.cookie === undefined ? {} : { cookie: request.cookie }),
      },
      ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
    });
    const body = await response.text();
    const milliseconds = performance.now() - start;
    const runs = await this.runs(request.handler);

    const cacheStatus = response.headers.get('cache-status') ?? '';
    const seen = {
      status: response.status,
      verdict: response.headers.get('x-cache') ?? '-',
      runs: expected.runs === 'later' ? ('later' as const) : runs - runsBefore,
      body: expected.body?.(body) ?? true,
      detail: expected.detail === undefined || cacheStatus.includes(expected.detail),
    };
    const ok = isDeepStrictEqual(seen, { ...expected, body: true, detail: true });
    if (!ok)
      this.failures.push(
        `${what}: expected ${JSON.stringify(expected)}, saw ${JSON.stringify(seen)}: ${body}`,
      );
    const { method, path } = request;
    this.print(
      `${row({ ...seen, what, request: `${method} ${path}`, milliseconds, total: runs, cacheStatus, ok })}\n`,
    );
    const etag = response.headers.get('etag') ?? '';
    return { body, cookie: cookiesOf(response), etag, milliseconds };
  }

  /** How often a handler has run since the application started. */
  async runs(handler: string): Promise<number> {
    const response = await fetch(`${this.url}/stats`);
    const runs = (await response.json()) as Record<string, number>;
    return runs[handler] ?? 0;
  }
}

function cookiesOf(response: Response): string {
  return response.headers
    .getSetCookie()
    .map((cookie) => cookie.split(';', 1)[0])
    .join('; ');
}
