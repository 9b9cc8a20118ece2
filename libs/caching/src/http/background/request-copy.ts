import type { IncomingHttpHeaders } from 'node:http';
import { nodeRequest, type RequestView } from '../request-view.js';
import type { ViewPolicy } from '../route-policy.js';
import { hostOf } from '../semantics/host.js';
import type { DispatchRequest } from './dispatch.js';

/**
 * Who was asked, for whom and by which way: middleware sends clients elsewhere by these, to another host or to https.
 * They are taken for what they are worth, as on the request itself.
 */
const WAY = /^(?:host|forwarded|x-forwarded-[\w-]+)$/;

/**
 * Of one message or connection, or about which part of a response is wanted (RFC 9110 §7.6.1, §13.1, §14.2): none of
 * these say whose response it is. A body is sent anew, so it has a length of its own and no coding.
 */
const OF_ONE_MESSAGE =
  /^(?:cache-control|connection|content-(?:encoding|length)|expect|if-(?:match|modified-since|none-match|range|unmodified-since)|keep-alive|pragma|proxy-(?:authorization|connection)|range|te|trailer|transfer-encoding|upgrade|user-agent)$/;

/**
 * What of a request is sent through the application again. Its credentials, and all else that may tell who it is from,
 * only where the route says whose response it is: elsewhere what comes back is for everybody.
 *
 * @param varied lower-case names of header fields that decide between variants, beside those the key covers
 * @returns nothing where the body can't be sent again as it was
 */
export function copyRequest(
  policy: Pick<ViewPolicy, 'keyedHeaders' | 'scope' | 'method'>,
  request: RequestView,
  varied: readonly string[] = [],
): DispatchRequest | undefined {
  const { raw, method, originalUrl: target, headers } = request;
  const node = nodeRequest(raw);
  const hasBody = policy.method !== 'GET' && request.body !== undefined && request.body !== null;
  const body = hasBody ? bodyOf(request) : undefined;
  if (hasBody && body === undefined) return undefined;
  const isScoped = typeof policy.scope === 'function';
  const carries = (name: string): boolean =>
    WAY.test(name) ||
    policy.keyedHeaders.has(name) ||
    varied.includes(name) ||
    (name === 'content-type' && body !== undefined) ||
    (isScoped && !OF_ONE_MESSAGE.test(name));
  const { socket } = node as {
    readonly socket?: { readonly remoteAddress?: string; readonly encrypted?: boolean };
  };
  return {
    method,
    target,
    headers: pick(headers, carries),
    body,
    remoteAddress: socket?.remoteAddress,
    encrypted: socket?.encrypted === true,
  };
}

function pick(headers: IncomingHttpHeaders, carries: (name: string) => boolean): IncomingHttpHeaders {
  const picked: IncomingHttpHeaders = {};
  for (const name in headers) {
    // What is sent is HTTP/1.1, which has no fields like `:path`.
    if (carries(name) && !name.startsWith(':')) picked[name] = headers[name];
  }
  const host = hostOf(headers);
  if (host !== undefined) picked.host = host;
  return picked;
}

/** The bytes as they came, where somebody kept them, or others that are parsed to the same. */
function bodyOf({ raw, body, headers }: RequestView): Buffer | undefined {
  if (Buffer.isBuffer(raw.rawBody)) return raw.rawBody;
  const given: unknown = body;
  if (Buffer.isBuffer(given)) return given;
  const type = headers['content-type'] ?? '';
  // What is written here is UTF-8.
  if (/;\s*charset=(?!"?utf-8)/i.test(type)) return undefined;
  if (/^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i.test(type)) return textOf(JSON.stringify(given));
  if (/^application\/x-www-form-urlencoded\s*(?:;|$)/i.test(type)) return textOf(formOf(given));
  return typeof given === 'string' ? textOf(given) : undefined;
}

function textOf(text: string | undefined): Buffer | undefined {
  return text === undefined ? undefined : Buffer.from(text);
}

/** Deeper than any parser nests. */
const MAX_DEPTH = 32;

/** The fields of a form, nested ones in brackets, as the parsers of Express (qs) and Fastify read them. */
function formOf(form: unknown): string | undefined {
  if (typeof form !== 'object' || form === null) return undefined;
  const pairs: string[] = [];
  const add = (name: string, value: unknown, depth: number): void => {
    if (depth > MAX_DEPTH) return;
    if (Array.isArray(value)) {
      // A name that comes once with an empty bracket, or several times without one, is a list.
      const own = value.length === 1 ? `${name}[]` : name;
      for (const item of value as unknown[])
        add(typeof item === 'object' ? `${name}[]` : own, item, depth + 1);
    } else if (typeof value === 'object' && value !== null)
      for (const [key, item] of Object.entries(value)) add(`${name}[${key}]`, item, depth + 1);
    else
      pairs.push(`${encodeURIComponent(name)}=${encodeURIComponent(typeof value === 'string' ? value : '')}`);
  };
  try {
    for (const [name, value] of Object.entries(form)) add(name, value, 0);
  } catch {
    // A lone surrogate has no encoding.
    return undefined;
  }
  return pairs.join('&');
}
