import { type FrameworkRequest, RequestView, splitTarget } from './request-view.js';

/** A request as `keyFor` takes it: what the key of its route reads. */
export interface RequestDescription {
  /** Path and query as a client sends them, e.g. `/books?page=2`. */
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** The body as the framework parses it. */
  readonly body?: unknown;
  readonly params?: Readonly<Record<string, string>>;
  /** Default: the query of `url`, with repeated names as lists. */
  readonly query?: Readonly<Record<string, unknown>>;
  readonly user?: unknown;
  readonly session?: unknown;
  readonly cookies?: Readonly<Record<string, string>>;
  readonly ip?: string;
}

/** The view that callbacks get of a request that was only described. */
export function describedRequest(given: RequestDescription, method: string): RequestView {
  const headers = Object.fromEntries(
    Object.entries(given.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]),
  );
  if (given.body !== undefined) headers['content-type'] ??= 'application/json';
  const request: FrameworkRequest = {
    ...given,
    method,
    headers,
    query: given.query ?? parseQuery(splitTarget(given.url).query),
  };
  return new RequestView(request);
}

function parseQuery(text: string): Record<string, string | string[]> {
  const parsed: Record<string, string | string[]> = Object.create(null) as Record<string, string | string[]>;
  const params = new URLSearchParams(text);
  for (const name of new Set(params.keys())) {
    const values = params.getAll(name);
    parsed[name] = values.length === 1 ? (values[0] as string) : values;
  }
  return parsed;
}
