import type { INestApplication, LoggerService } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { AppModule } from '../../../apps/books-api/src/app.module.js';
import { adapterFor, configure } from '../../../apps/books-api/src/application.js';
import type { Platform, Settings } from '../../../apps/books-api/src/settings.js';

export const PLATFORMS: readonly Platform[] = ['express', 'fastify'];

/** A privileged port that nothing is assigned to. It also keeps applications that analyse nothing from starting a model. */
export const NO_MODEL = 'http://127.0.0.1:2';

export interface Answer {
  readonly status: number;
  /** X-Cache, or null where there is none. */
  readonly verdict: string | null;
  readonly cacheStatus: string;
  readonly headers: Headers;
  readonly text: string;
  /** The cookies that it sets, as a Cookie header sends them back. */
  readonly cookie: string;
}

/** Settings that differ from those of the other tests. */
interface Given extends Partial<Settings> {
  /** Starts a model service, as the application does by default. */
  readonly ownModel?: boolean;
}

interface Extras {
  readonly body?: unknown;
  readonly form?: Record<string, string>;
  readonly cookie?: string;
}

export class BooksApp {
  private constructor(
    readonly nest: INestApplication,
    readonly url: string,
  ) {}

  static async start(platform: Platform, given: Given = {}, logger?: LoggerService): Promise<BooksApp> {
    const { ownModel = false, ...others } = given;
    const settings: Settings = {
      platform,
      host: '127.0.0.1',
      port: 0,
      cache: true,
      dashboard: false,
      slowMs: 0,
      listTtlMs: 60_000,
      analysisTtlMs: 86_400_000,
      sessionSecret: 'for tests only',
      ...(ownModel ? {} : { modelUrl: NO_MODEL }),
      ...others,
    };
    const testing = Test.createTestingModule({ imports: [AppModule.with(settings)] });
    if (logger) testing.setLogger(logger);
    const nest = configure((await testing.compile()).createNestApplication(adapterFor(platform)));
    await nest.listen(settings.port, settings.host);
    // A connection must not end while this process is busy for some seconds, as it is when a second database starts.
    Object.assign(nest.getHttpServer() as object, { keepAliveTimeout: 60_000 });
    return new BooksApp(nest, await nest.getUrl());
  }

  async ask(method: string, path: string, { body, form, cookie }: Extras = {}): Promise<Answer> {
    const headers = new Headers();
    if (cookie !== undefined) headers.set('cookie', cookie);
    if (body !== undefined) headers.set('content-type', 'application/json');
    const payload = form ? new URLSearchParams(form) : body === undefined ? null : JSON.stringify(body);
    const response = await fetch(this.url + path, { method, headers, body: payload, redirect: 'manual' });
    return {
      status: response.status,
      verdict: response.headers.get('x-cache'),
      cacheStatus: response.headers.get('cache-status') ?? '',
      headers: response.headers,
      text: await response.text(),
      cookie: response.headers
        .getSetCookie()
        .map((line) => line.split(';', 1)[0])
        .join('; '),
    };
  }

  get(path: string, cookie?: string): Promise<Answer> {
    return this.ask('GET', path, cookie === undefined ? {} : { cookie });
  }

  async login(name: string): Promise<string> {
    const { cookie } = await this.ask('POST', '/login', { body: { name } });
    return cookie;
  }

  /** How often a handler has run since the start. */
  async runs(handler: string): Promise<number> {
    const counts = JSON.parse((await this.get('/stats')).text) as Record<string, number>;
    return counts[handler] ?? 0;
  }

  close(): Promise<void> {
    return this.nest.close();
  }
}

/** The remaining lifetime that a hit states, in seconds. */
export function ttlOf({ cacheStatus }: Answer): number {
  return Number(/;\s*ttl=(\d+)/.exec(cacheStatus)?.[1]);
}
