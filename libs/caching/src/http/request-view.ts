import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { paramTexts } from './param-text.js';

/** What Express and Fastify requests have in common, as far as the cache reads it. */
export interface FrameworkRequest {
  /** Express' application. */
  readonly app?: unknown;
  readonly raw?: IncomingMessage;
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly originalUrl?: string;
  readonly baseUrl?: string;
  readonly headers: IncomingHttpHeaders;
  readonly params?: unknown;
  readonly query?: unknown;
  readonly body?: unknown;
  /** The bytes of the body, where the application was created with `rawBody: true`. */
  readonly rawBody?: Buffer | undefined;
  readonly user?: unknown;
  readonly session?: unknown;
  readonly cookies?: unknown;
  readonly ip?: string | undefined;
  /** The host that the framework goes by: `Host`, or a trusted proxy's `X-Forwarded-Host`. */
  readonly hostname?: string | undefined;
}

/**
 * Node's request, by which a request is known: Fastify's has it behind it. On Express `raw` may be anything that
 * middleware has left there, such as the bytes of the body.
 */
export function nodeRequest(request: FrameworkRequest): FrameworkRequest {
  const { raw } = request as { readonly raw?: FrameworkRequest | null };
  return raw?.headers === undefined ? request : raw;
}

/** What of a request only its application knows the types of; what is left out stays `unknown`. */
export interface RequestTypes {
  /** Beside what is named here, a query may hold anything. */
  readonly query?: unknown;
  /** As the client sent it, before pipes. */
  readonly body?: unknown;
  /** What a guard or middleware puts on the request. */
  readonly user?: unknown;
  /** What session middleware puts on the request. */
  readonly session?: unknown;
}

/**
 * A request as callbacks of this library see it, the same on Express and Fastify. Only what middleware and
 * guards have set is there: pipes and interceptors don't run on hits, so nothing may depend on them.
 *
 * What a callback reads of `user`, `session`, `body` and `query` it says where it takes the request. As with every type,
 * nothing is checked when a request comes: a body is the client's, before validation, and a guard may leave no user.
 *
 * @example
 * unless: ({ query }) => query.nocache === '1'
 * scope: ({ user }: RequestView<{ user: Account }>) => user.id
 */
export class RequestView<T extends RequestTypes = RequestTypes> {
  readonly #node: FrameworkRequest;

  constructor(
    /** The framework's own request object. */
    readonly raw: FrameworkRequest,
  ) {
    this.#node = nodeRequest(raw);
  }

  get method(): string {
    return this.#node.method ?? 'GET';
  }

  /** The target that the router matched, as it came: path and query, nothing decoded. */
  get url(): string {
    const { baseUrl, url = '/' } = this.#node;
    return baseUrl ? baseUrl + url : url;
  }

  /** The target as the client sent it, where middleware has rewritten it since; otherwise the same as `url`. */
  get originalUrl(): string {
    return this.#node.originalUrl ?? this.raw.originalUrl ?? this.url;
  }

  /** The path of `url`, without a host and without the query. */
  get path(): string {
    return splitTarget(this.url).path;
  }

  /** Header fields by lower-case name. */
  get headers(): IncomingHttpHeaders {
    return this.#node.headers;
  }

  /**
   * Path parameters, decoded by the router. A wildcard's is the text of all its segments, as in the path: `a/b.txt`. On
   * Express, which gives handlers a list, a slash within a segment stays `%2F`.
   */
  get params(): Readonly<Record<string, string>> {
    return paramTexts((this.raw.params ?? {}) as Record<string, unknown>);
  }

  /** The query as the framework parsed it. */
  get query(): Readonly<Record<string, unknown>> & T['query'] {
    return (this.raw.query ?? {}) as Record<string, unknown> & T['query'];
  }

  /** The body as the framework parsed it, before pipes. */
  get body(): T['body'] {
    return this.raw.body;
  }

  /** What the application's authentication put on the request: `req.user`. */
  get user(): T['user'] {
    const { raw } = this;
    // On Express both are one, and to find that there is none is dear.
    return raw === this.#node ? raw.user : (raw.user ?? this.#node.user);
  }

  /** What session middleware put on the request: `req.session`. */
  get session(): T['session'] {
    return this.raw.session ?? this.#node.session;
  }

  get cookies(): Readonly<Record<string, string | undefined>> {
    return (this.raw.cookies ?? this.#node.cookies ?? {}) as Record<string, string | undefined>;
  }

  get ip(): string | undefined {
    return this.raw.ip;
  }
}

/**
 * A callback about a request: at once or with a promise. Its parameter may say more of the request than is known here
 * (`RequestView<{ user: Account }>`), which only parameters of methods may: those of functions are contravariant.
 */
export type RequestCallback<T> = { bivariant(request: RequestView): T | Promise<T> }['bivariant'];

export interface RequestTarget {
  readonly path: string;
  /** Without the question mark; empty where there is none. */
  readonly query: string;
}

/**
 * Path and query of a request target. The host of an absolute-form target (RFC 9112 §3.2.2) is dropped: who was
 * asked is decided by nobody's say-so in the target.
 */
export function splitTarget(target: string): RequestTarget {
  let start = 0;
  if (target.charCodeAt(0) !== 47 /* / */) {
    const authority = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i.exec(target);
    start = authority?.[0].length ?? 0;
  }
  const mark = target.indexOf('?', start);
  const path = mark === -1 ? target.slice(start) : target.slice(start, mark);
  return { path: path === '' ? '/' : path, query: mark === -1 ? '' : target.slice(mark + 1) };
}
