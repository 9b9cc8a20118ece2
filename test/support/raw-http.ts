import { request as httpRequest } from 'node:http';

export interface RawRequestOptions {
  readonly method?: string;
  readonly headers?: Record<string, string | string[]>;
  /** A string or bytes as they are; anything else is sent as JSON. */
  readonly body?: unknown;
}

/** A response as it was on the wire, its chunks joined. */
export interface RawResponse {
  readonly status: number;
  readonly statusMessage: string;
  /** Lines of the head but the first, spelt and ordered as sent. */
  readonly headerLines: readonly string[];
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
  readonly text: string;
  /** The value of `X-Cache`. */
  readonly verdict: string | undefined;
  readonly cacheStatus: string | undefined;
}

/** One request on a connection of its own, with nothing added that was not asked for. */
export function rawRequest(
  port: number,
  target: string,
  options: RawRequestOptions = {},
): Promise<RawResponse> {
  const { method = 'GET', headers = {}, body } = options;
  const isRaw = typeof body === 'string' || body instanceof Uint8Array;
  const payload = body === undefined ? undefined : isRaw ? body : JSON.stringify(body);
  const sent = { ...(payload !== undefined && !isRaw && { 'content-type': 'application/json' }), ...headers };
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      { host: '127.0.0.1', port, path: target, method, agent: false, headers: sent },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const whole = Buffer.concat(chunks);
          const lines: string[] = [];
          for (let at = 0; at < response.rawHeaders.length; at += 2) {
            lines.push(`${response.rawHeaders[at]}: ${response.rawHeaders[at + 1]}`);
          }
          resolve({
            status: response.statusCode ?? 0,
            statusMessage: response.statusMessage ?? '',
            headerLines: lines,
            headers: response.headers,
            body: whole,
            text: whole.toString(),
            verdict: response.headers['x-cache'] as string | undefined,
            cacheStatus: response.headers['cache-status'] as string | undefined,
          });
        });
      },
    );
    request.on('error', reject);
    if (payload !== undefined && method === 'GET')
      request.setHeader('content-length', Buffer.byteLength(payload));
    request.end(payload);
  });
}

const NOT_COMPARED = /^(?:date|age|x-cache|cache-status):/i;

/** Everything of a response that a hit must give again: all but time and verdict. */
export function comparable(response: RawResponse, ignore: readonly string[] = []): unknown {
  return {
    status: response.status,
    statusMessage: response.statusMessage,
    headerLines: response.headerLines.filter(
      (line) => !NOT_COMPARED.test(line) && !ignore.some((name) => line.toLowerCase().startsWith(`${name}:`)),
    ),
    body: response.body.toString('base64'),
  };
}
