import type { IncomingMessage, ServerResponse } from 'node:http';
import { Controller, Get, Inject, Logger, Post, Req, Res, type Type, VERSION_NEUTRAL } from '@nestjs/common';
import { CachingError, CacheStoreError } from '../../caching.errors.js';
import { CacheEvict, NoCache } from '../../decorators.js';
import { type FrameworkRequest, nodeRequest, RequestView, splitTarget } from '../../http/request-view.js';
import { Dashboard } from './dashboard.js';
import { assetOf, pageOf } from './dashboard-assets.js';
import { DashboardGate, type Wanted } from './dashboard-gate.js';
import type { ResolvedDashboard } from './dashboard-options.js';

/** Everything from here, nothing inline, in nobody's frame. */
const CONTENT_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const HEADERS: Readonly<Record<string, string>> = {
  // No compression of what is to arrive at once.
  'Cache-Control': 'no-store, no-transform',
  'Content-Security-Policy': CONTENT_POLICY,
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'X-Robots-Tag': 'noindex, nofollow',
};

/** Swagger's mark of controllers that are no part of an API. */
const NOT_IN_OPENAPI = 'swagger/apiExcludeController';

interface Reply {
  readonly raw?: ServerResponse;
  hijack?(): unknown;
}

/** What is asked for, once it is known that it may be. */
interface Visit {
  readonly request: RequestView;
  readonly response: ServerResponse;
}

/** Makes the controller of one application's dashboard. */
export function createDashboardController(options: ResolvedDashboard): Type {
  const base = options.path.split('/').at(-1) as string;
  const logger = new Logger('CachingModule');
  const gate = new DashboardGate(options.authorize);

  @Controller({ path: options.path, version: VERSION_NEUTRAL })
  @NoCache()
  class CacheDashboardController {
    constructor(@Inject(Dashboard) private readonly dashboard: Dashboard) {}

    @Get() page(@Req() request: FrameworkRequest, @Res() reply: object): Promise<void> {
      return answer('page', request, reply, ({ request: { originalUrl }, response }) => {
        const { path } = splitTarget(originalUrl);
        // What the page names is beside it, so it has to be where it thinks it is.
        if (path.endsWith('/')) {
          response.setHeader('Location', `../${base}`);
          return send(response, 308, 'text/plain', '');
        }
        send(response, 200, 'text/html; charset=utf-8', pageOf(base, gate.token, this.dashboard.namespace));
      });
    }

    @Get('assets/:name') asset(@Req() request: FrameworkRequest, @Res() reply: object): Promise<void> {
      return answer('read', request, reply, ({ request: { params }, response }) => {
        const asset = assetOf(params.name ?? '');
        if (asset === undefined) return sendJson(response, 404, { reason: 'unknown' });
        send(response, 200, asset.type, asset.body);
      });
    }

    @Get('api/live') live(@Req() request: FrameworkRequest, @Res() reply: object): Promise<void> {
      return answer('read', request, reply, ({ request: { method }, response }) => {
        // Both routers answer HEAD with the handler of GET, and what has no body would never end.
        if (method === 'HEAD') return send(response, 200, 'text/event-stream', '');
        response.setHeader('Content-Type', 'text/event-stream');
        // Nginx would keep it until there is more.
        response.setHeader('X-Accel-Buffering', 'no');
        if (this.dashboard.follow(response)) return;
        response.setHeader('Retry-After', '30');
        sendJson(response, 503, { reason: 'too-many-readers' });
      });
    }

    @Get('api/:what') read(@Req() request: FrameworkRequest, @Res() reply: object): Promise<void> {
      return answer('read', request, reply, ({ request: { params, url }, response }) => {
        const query = new URLSearchParams(splitTarget(url).query);
        const found = this.#read(params.what ?? '', query);
        sendJson(response, found === undefined ? 404 : 200, found ?? { reason: 'unknown' });
      });
    }

    @Post('api/:what')
    @CacheEvict({ autoEvict: false })
    change(@Req() request: FrameworkRequest, @Res() reply: object): Promise<void> {
      return answer('change', request, reply, async ({ request: { params, body }, response }) => {
        if (params.what === 'evict') sendJson(response, 200, await this.dashboard.evict(body));
        else if (params.what === 'explain') sendJson(response, 200, await this.dashboard.explain(body));
        else sendJson(response, 404, { reason: 'unknown' });
      });
    }

    #read(what: string, query: URLSearchParams): unknown {
      switch (what) {
        case 'facts':
          return this.dashboard.facts();
        case 'token':
          return { token: gate.token };
        case 'entries':
          return this.dashboard.search(query.get('q') ?? '');
        case 'entry':
          return this.dashboard.entry(query.get('id') ?? '');
        case 'view':
          return this.dashboard.page(query.get('id') ?? '', query.get('url') ?? '');
        case 'evictions':
          return { evictions: this.dashboard.evicted() };
        default:
          return undefined;
      }
    }
  }

  async function answer(
    wanted: Wanted,
    raw: FrameworkRequest,
    reply: Reply,
    act: (visit: Visit) => void | Promise<void>,
  ): Promise<void> {
    const request = new RequestView(raw);
    const response = nodeResponse(reply);
    for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
    try {
      const refusal = await gate.refuse(wanted, request, nodeRequest(raw) as IncomingMessage);
      if (refusal === undefined) await act({ request, response });
      else sendJson(response, 403, { reason: refusal });
    } catch (error) {
      if (response.headersSent) return void response.destroy();
      if (!(error instanceof CachingError)) {
        logger.error(error);
        return sendJson(response, 500, { reason: 'internal error' });
      }
      sendJson(response, error instanceof CacheStoreError ? 503 : 400, { reason: error.message });
    }
  }

  for (const decorate of options.decorators) decorate(CacheDashboardController);
  Reflect.defineMetadata(NOT_IN_OPENAPI, [true], CacheDashboardController);
  return CacheDashboardController;
}

/** Past the framework: its hooks, and the fields that they set for the application's own pages, are not for these. */
function nodeResponse(reply: Reply): ServerResponse {
  if (reply.raw === undefined) return reply as ServerResponse;
  reply.hijack?.();
  return reply.raw;
}

function send(response: ServerResponse, status: number, type: string, body: string | Buffer): void {
  response.statusCode = status;
  response.setHeader('Content-Type', type);
  response.setHeader('Content-Length', Buffer.byteLength(body));
  response.end(body);
}

function sendJson(response: ServerResponse, status: number, value: unknown): void {
  send(response, status, 'application/json; charset=utf-8', JSON.stringify(value));
}
