import { connect, type Socket } from 'node:net';

export interface PipelinedReply {
  readonly status: number;
  readonly verdict: string | undefined;
  readonly body: Buffer;
}

/** A client that sends its requests at once and reads nothing until it is told to. */
export class SlowReader {
  #asked = 0;

  private constructor(
    private readonly socket: Socket,
    /** The port by which the server knows it. */
    readonly port: number,
  ) {}

  static connect(port: number): Promise<SlowReader> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => resolve(new SlowReader(socket, socket.localPort ?? 0)));
      socket.on('error', reject);
      socket.pause();
    });
  }

  /** @param fields lines of the head, each with its end */
  ask(target: string, count: number, fields = ''): void {
    this.#asked += count;
    this.socket.write(`GET ${target} HTTP/1.1\r\nHost: localhost\r\n${fields}\r\n`.repeat(count));
  }

  /** All that come, until the server closes or all is answered; they have to have a `Content-Length`. */
  read(): Promise<PipelinedReply[]> {
    return new Promise((resolve) => {
      const replies: PipelinedReply[] = [];
      let rest: Buffer = Buffer.alloc(0);
      this.socket.on('close', () => resolve(replies));
      this.socket.on('data', (chunk: Buffer) => {
        rest = Buffer.concat([rest, chunk]);
        for (let reply = readReply(rest); reply !== undefined; reply = readReply(rest)) {
          replies.push(reply[0]);
          rest = rest.subarray(reply[1]);
        }
        if (replies.length === this.#asked) this.socket.destroy();
      });
      this.socket.resume();
    });
  }

  leave(): void {
    this.socket.destroy();
  }
}

/** The first reply, if it is whole, and where the next one begins. */
function readReply(bytes: Buffer): readonly [PipelinedReply, number] | undefined {
  const end = bytes.indexOf('\r\n\r\n');
  if (end === -1) return undefined;
  const head = bytes.toString('latin1', 0, end);
  const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1];
  if (length === undefined) throw new Error(`no length in ${head}`);
  const next = end + 4 + Number(length);
  if (bytes.length < next) return undefined;
  const reply: PipelinedReply = {
    status: Number(head.split(' ', 2)[1]),
    verdict: /\r\nx-cache: (\w+)/i.exec(head)?.[1],
    body: bytes.subarray(end + 4, next),
  };
  return [reply, next];
}
