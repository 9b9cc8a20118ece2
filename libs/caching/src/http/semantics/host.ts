import type { IncomingHttpHeaders } from 'node:http';

/** Who was asked: HTTP/2 says it in a field of its own, and may leave `Host` out (RFC 9113 §8.3.1). */
export function hostOf(headers: IncomingHttpHeaders): string | undefined {
  return headers.host ?? (headers[':authority'] as string | undefined);
}

/** All that a request says of that, for a key: a handler may go by either. */
export function hostLine(headers: IncomingHttpHeaders): string | undefined {
  const { host, ':authority': authority } = headers;
  // No value can have a line break.
  return host === undefined || authority === undefined || host === authority
    ? hostOf(headers)
    : `${host}\n${String(authority)}`;
}
