const CRLF = '\r\n';
const EMPTY = Buffer.alloc(0);

/** One command of a client, as it came. */
export interface RawCommand {
  /** In capitals, as in `GET`. */
  readonly name: string;
  readonly bytes: Buffer;
}

/** Cuts the bytes that a Redis client sends into commands: arrays of bulk strings, as all clients send them. */
export class CommandSplitter {
  #rest: Buffer = EMPTY;

  /** The commands that are complete with these bytes; what is left waits for the next ones. */
  push(chunk: Buffer): RawCommand[] {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const commands: RawCommand[] = [];
    for (let next = firstCommand(this.#rest); next !== undefined; next = firstCommand(this.#rest)) {
      commands.push(next);
      this.#rest = this.#rest.subarray(next.bytes.length);
    }
    return commands;
  }
}

function firstCommand(bytes: Buffer): RawCommand | undefined {
  const head = header(bytes, 0, '*');
  if (head === undefined) return undefined;
  let at = head.end;
  let name = '';
  for (let index = 0; index < head.count; index++) {
    const part = header(bytes, at, '$');
    if (part === undefined) return undefined;
    at = part.end + part.count + CRLF.length;
    if (at > bytes.length) return undefined;
    if (index === 0) name = bytes.toString('latin1', part.end, part.end + part.count).toUpperCase();
  }
  return { name, bytes: bytes.subarray(0, at) };
}

function header(bytes: Buffer, at: number, type: string): { count: number; end: number } | undefined {
  const line = bytes.indexOf(CRLF, at);
  if (line === -1) return undefined;
  if (bytes.toString('latin1', at, at + 1) !== type)
    throw new Error(`a command has no ${type} at byte ${at}`);
  return { count: Number(bytes.toString('latin1', at + 1, line)), end: line + CRLF.length };
}

/** A command in the form in which clients send it. */
export function encodeCommand(args: readonly string[]): Buffer {
  const parts = args.map((arg) => `$${Buffer.byteLength(arg)}${CRLF}${arg}${CRLF}`);
  return Buffer.from(`*${args.length}${CRLF}${parts.join('')}`);
}
