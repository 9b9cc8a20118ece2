import { connect, type Socket } from 'node:net';

/** A response as the bytes that came over the socket. */
export interface WireResponse {
  readonly statusLine: string;
  readonly status: number;
  /** Lines of the head but the first, as sent. */
  readonly fields: readonly string[];
  /** Everything behind the head, chunk framing included. */
  readonly payload: Buffer;
  /** The payload without chunk framing. */
  readonly body: Buffer;
  readonly text: string;
  readonly verdict: string | undefined;
  readonly cacheStatus: string | undefined;
  /** False where the connection ended before the message did. */
  readonly complete: boolean;
  field(name: string): string | undefined;
  all(name: string): string[];
}

export interface WireOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A request that the caller may abandon. */
export interface OpenRequest {
  readonly socket: Socket;
  /** The response, once the connection ended. */
  readonly response: Promise<WireResponse>;
  /** Closes the connection as a client that goes away does, and waits until it is closed. */
  leave(): Promise<void>;
}

export function openRequest(port: number, target: string, options: WireOptions = {}): OpenRequest {
  const { method = 'GET', headers = {} } = options;
  const socket = connect(port, '127.0.0.1');
  const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(
    `${method} ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${fields.join('')}\r\n`,
  );
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  const closed = new Promise<void>((resolve) => {
    socket.once('close', () => resolve());
  });
  // A connection that the server resets ends here too; what came until then is the response.
  socket.on('error', () => socket.destroy());
  return {
    socket,
    response: closed.then(() => parse(Buffer.concat(chunks), method)),
    leave: async () => {
      socket.resetAndDestroy();
      await closed;
    },
  };
}

export function wireRequest(port: number, target: string, options: WireOptions = {}): Promise<WireResponse> {
  return openRequest(port, target, options).response;
}

function parse(bytes: Buffer, method: string): WireResponse {
  const headEnd = bytes.indexOf('\r\n\r\n');
  const head = headEnd === -1 ? '' : bytes.subarray(0, headEnd).toString('latin1');
  const [statusLine = '', ...fields] = head.split('\r\n');
  const payload = headEnd === -1 ? Buffer.alloc(0) : bytes.subarray(headEnd + 4);
  const all = (name: string): string[] =>
    fields
      .filter((line) => line.toLowerCase().startsWith(`${name.toLowerCase()}:`))
      .map((line) => line.slice(line.indexOf(':') + 1).trim());
  const status = Number(statusLine.split(' ')[1] ?? 0);
  const isChunked = all('transfer-encoding').includes('chunked');
  const { body, complete } = isChunked ? unchunk(payload) : { body: payload, complete: true };
  const length = all('content-length')[0];
  const hasNoBody = method === 'HEAD' || status === 204 || status === 304;
  return {
    statusLine,
    status,
    fields,
    payload,
    body,
    text: body.toString(),
    verdict: all('x-cache')[0],
    cacheStatus: all('cache-status')[0],
    complete:
      headEnd !== -1 && complete && (length === undefined || hasNoBody || Number(length) === body.length),
    field: (name) => all(name)[0],
    all,
  };
}

function unchunk(payload: Buffer): { body: Buffer; complete: boolean } {
  const parts: Buffer[] = [];
  let at = 0;
  for (;;) {
    const lineEnd = payload.indexOf('\r\n', at);
    if (lineEnd === -1) return { body: Buffer.concat(parts), complete: false };
    const size = Number.parseInt(payload.subarray(at, lineEnd).toString('latin1'), 16);
    if (size === 0) return { body: Buffer.concat(parts), complete: true };
    const end = lineEnd + 2 + size;
    parts.push(payload.subarray(lineEnd + 2, end));
    if (end > payload.length) return { body: Buffer.concat(parts), complete: false };
    at = end + 2;
  }
}

const NOT_COMPARED = ['date', 'age', 'x-cache', 'cache-status'];
const FRAMING = ['transfer-encoding', 'content-length'];

function without(fields: readonly string[], names: readonly string[]): string[] {
  return fields.filter((line) => !names.includes((line.split(':')[0] ?? '').toLowerCase()));
}

/** All bytes of a response but its time, its verdict and the fields in `ignore`. */
export function wireBytes(response: WireResponse, ignore: readonly string[] = []): string {
  const fields = without(response.fields, [...NOT_COMPARED, ...ignore]);
  return [response.statusLine, ...fields, '', response.payload.toString('latin1')].join('\r\n');
}

/**
 * The same without the framing: what was streamed in chunks is sent from the cache with its length, as this is
 * about the message on its connection and not about the response.
 */
export function unframedBytes(response: WireResponse, ignore: readonly string[] = []): string {
  const fields = without(response.fields, [...NOT_COMPARED, ...FRAMING, ...ignore]);
  return [response.statusLine, ...fields, '', response.body.toString('latin1')].join('\r\n');
}
