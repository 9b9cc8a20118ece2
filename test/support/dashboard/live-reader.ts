import { connect, type Socket } from 'node:net';

/** What the dashboard's page is told each second. */
export interface Tick {
  readonly seconds: readonly { readonly hits: number; readonly fills: number }[];
  readonly routes: readonly { readonly route: string; readonly hits: number; readonly stored: number }[];
  readonly log: readonly { readonly n: number; readonly type: string; readonly detail: string }[];
  readonly missed: number;
  readonly health: {
    readonly memory: { readonly entries: number };
    readonly store: { readonly name: string };
  };
}

/** Reads server-sent events off a socket of its own, as slowly as is asked for. */
export class LiveReader {
  #text = '';
  isClosed = false;

  private constructor(readonly socket: Socket) {
    socket.on('data', (chunk: Buffer) => (this.#text += chunk.toString()));
    socket.on('close', () => (this.isClosed = true));
    socket.on('error', () => undefined);
  }

  /** @param next what is sent behind it on the same connection */
  static open(port: number, method = 'GET', next = ''): LiveReader {
    const socket = connect(port, '127.0.0.1');
    socket.write(
      `${method} /_cache/api/live HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\nsec-fetch-site: same-origin\r\naccept-encoding: gzip\r\n\r\n${next}`,
    );
    return new LiveReader(socket);
  }

  get status(): string {
    return this.#text.slice(9, 12);
  }

  /** Of all that was answered on the connection. */
  get statuses(): string[] {
    return [...this.#text.matchAll(/^HTTP\/1\.1 (\d+)/gm)].map(([, status]) => status as string);
  }

  get ticks(): Tick[] {
    return [...this.#text.matchAll(/^data: (\{.*\})$/gm)].map(
      ([, json]) => JSON.parse(json as string) as Tick,
    );
  }
}
