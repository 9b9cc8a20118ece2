import { isDeepStrictEqual } from 'node:util';
import { header, row } from './table.js';

export interface DemoRequest {
  readonly method: string;
  readonly path: string;
  /** As GET /stats counts it. */
  readonly handler: string;
  readonly body?: unknown;
  readonly cookie?: string;
}

export interface Expectation {
  readonly status: number;
  /** What X-Cache says. */
  readonly verdict: string;
  /** How often the handler runs for this request. */
  readonly runs: number;
  /** Whether the body is as it should be. */
  readonly body?: (body: string) => boolean;
}

export interface Played {
  readonly body: string;
  readonly cookie: string;
  readonly milliseconds: number;
}

/** Plays requests one after the other, prints each, and remembers what came out otherwise than expected. */
export class Player {
  readonly failures: string[] = [];

  constructor(
    private readonly url: string,
    private readonly print: (line: string) => void,
  ) {}

  chapter(title: string): void {
    this.print(`\n${title}\n${header()}\n`);
  }

  async play(what: string, request: DemoRequest, expected: Expectation): Promise<Played> {
    const runsBefore = await this.#runs(request.handler);
    const start = performance.now();
    const response = await fetch(this.url + request.path, {
      method: request.method,
      redirect: 'manual',
      headers: {
        ...(request.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(request.cookie === undefined ? {} : { cookie: request.cookie }),
      },
      ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
    });
    const body = await response.text();
    const milliseconds = performance.now() - start;
    const runs = await this.#runs(request.handler);

    const seen = {
      status: response.status,
      verdict: response.headers.get('x-cache') ?? '-',
      runs: runs - runsBefore,
      body: expected.body?.(body) ?? true,
    };
    const ok = isDeepStrictEqual(seen, { ...expected, body: true });
    if (!ok)
      this.failures.push(
        `${what}: expected ${JSON.stringify(expected)}, saw ${JSON.stringify(seen)}: ${body}`,
      );
    const { method, path } = request;
    const cacheStatus = response.headers.get('cache-status') ?? '';
    this.print(
      `${row({ what, request: `${method} ${path}`, milliseconds, total: runs, cacheStatus, ok, ...seen })}\n`,
    );
    return { body, cookie: cookiesOf(response), milliseconds };
  }

  async #runs(handler: string): Promise<number> {
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
