import { connect } from 'node:net';

/** What came back on a connection, up to its end. */
export interface SocketReply {
  readonly status: number;
  /** Names in lower case; of a repeated field the last value. */
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  readonly verdict: string | undefined;
  /** Everything, head included. */
  readonly raw: string;
}

/**
 * Sends exactly these bytes and reads until the server closes: for requests that no client library would make.
 * The request has to ask for `Connection: close`, or be HTTP/1.0.
 */
export function sendBytes(port: number, bytes: string | Buffer): Promise<SocketReply> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('error', reject);
    socket.on('close', () => resolve(parseReply(Buffer.concat(chunks).toString('latin1'))));
  });
}

/** The bytes of a GET for this target, as it stands. */
export function getLine(target: string, headers: readonly string[] = ['Host: localhost']): string {
  return [`GET ${target} HTTP/1.1`, ...headers, 'Connection: close', '', ''].join('\r\n');
}

function parseReply(raw: string): SocketReply {
  const gap = raw.indexOf('\r\n\r\n');
  const [first = '', ...lines] = raw.slice(0, gap).split('\r\n');
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(':');
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  const body = raw.slice(gap + 4);
  return {
    status: Number(first.split(' ')[1]),
    headers,
    text: headers['transfer-encoding'] === 'chunked' ? unchunk(body) : body,
    verdict: headers['x-cache'],
    raw,
  };
}

function unchunk(body: string): string {
  let text = '';
  for (let at = 0; at < body.length;) {
    const lineEnd = body.indexOf('\r\n', at);
    const size = Number.parseInt(body.slice(at, lineEnd), 16);
    if (!(size > 0)) break;
    text += body.slice(lineEnd + 2, lineEnd + 2 + size);
    at = lineEnd + 2 + size + 2;
  }
  return text;
}
