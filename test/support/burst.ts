import { connect } from 'node:net';

export interface BurstReply {
  readonly status: number;
  readonly verdict: string | undefined;
  readonly body: string;
}

/**
 * Sends `count` requests for one target at once over `sockets` connections, each with its share pipelined: all of
 * them are under way in the server together. The replies have to have a `Content-Length`.
 */
export async function burst(
  port: number,
  target: string,
  count: number,
  sockets: number,
): Promise<BurstReply[]> {
  const share = count / sockets;
  if (!Number.isInteger(share)) throw new Error(`${count} requests don't divide into ${sockets} sockets`);
  const request = `GET ${target} HTTP/1.1\r\nhost: localhost\r\n\r\n`;
  const all = await Promise.all(Array.from({ length: sockets }, () => pipeline(port, request, share)));
  return all.flat();
}

function pipeline(port: number, request: string, count: number): Promise<BurstReply[]> {
  return new Promise((resolve, reject) => {
    const replies: BurstReply[] = [];
    let text = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(request.repeat(count)));
    socket.setEncoding('latin1');
    socket.on('error', reject);
    socket.on('close', () => reject(new Error(`closed after ${replies.length} of ${count} replies`)));
    socket.on('data', (chunk: string) => {
      text += chunk;
      let reply: readonly [BurstReply, string] | undefined;
      while ((reply = readReply(text)) !== undefined) {
        replies.push(reply[0]);
        text = reply[1];
      }
      if (replies.length < count) return;
      resolve(replies);
      socket.destroy();
    });
  });
}

/** The first reply in `text`, if it is whole, and what follows it. */
function readReply(text: string): readonly [BurstReply, string] | undefined {
  const end = text.indexOf('\r\n\r\n');
  if (end === -1) return undefined;
  const head = text.slice(0, end);
  const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1];
  if (length === undefined) throw new Error(`no length in ${head}`);
  const from = end + 4;
  const to = from + Number(length);
  if (text.length < to) return undefined;
  const reply: BurstReply = {
    status: Number(head.split(' ', 2)[1]),
    verdict: /\r\nx-cache: (\w+)/i.exec(head)?.[1],
    body: text.slice(from, to),
  };
  return [reply, text.slice(to)];
}
