import { connect, type Socket } from 'node:net';
import type { Fault } from './fault.js';
import { CommandSplitter, encodeCommand, type RawCommand } from './resp-commands.js';

/** A type byte that no version of the protocol has, then a length that can't be. */
const GARBAGE = Buffer.from('?\u0000not a reply\r\n$-7\r\n', 'latin1');
/** The server itself answers with the error: replies stay in the order of the commands. */
const FAIL_SCRIPT = 'return redis.error_reply(ARGV[1])';
/** A reset right behind the bytes could overtake them. */
const RESET_DELAY_MS = 20;
/** Delayed bytes that a connection keeps before it stops reading. */
const LATE_BYTES = 16 * 1024 * 1024;

interface LateReply {
  readonly bytes: Buffer;
  /** When it goes on, as performance.now() says it. */
  readonly due: number;
  readonly timer: NodeJS.Timeout;
}

/** One client's connection to a Redis, with a fault in between. */
export class ProxiedConnection {
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #splitter = new CommandSplitter();
  /** Replies that wait for their time, in the order in which they came. */
  readonly #late: LateReply[] = [];
  #fault: Fault;
  /** Bytes of replies that were forwarded since the last command. */
  #replied = 0;
  #lateBytes = 0;
  #cutting: NodeJS.Timeout | undefined;

  constructor(client: Socket, targetPort: number, fault: Fault) {
    this.#client = client;
    this.#server = connect(targetPort, '127.0.0.1');
    this.#fault = fault;
    for (const socket of [client, this.#server]) {
      socket.setNoDelay(true);
      // 'close' follows, and says that there was one.
      socket.on('error', () => undefined);
    }
    client.once('close', () => this.reset());
    this.#server.once('close', (failed) => {
      if (failed) this.reset();
      else client.end();
    });
    client.on('data', (bytes: Buffer) => this.#request(bytes));
    this.#server.on('data', (bytes: Buffer) => this.#reply(bytes));
    client.on('drain', () => this.#flow());
    this.#server.on('drain', () => this.#flow());
    this.#flow();
  }

  set fault(fault: Fault) {
    this.#fault = fault;
    this.#flow();
  }

  /** Ends both sides with RST. */
  reset(): void {
    for (const { timer } of this.#late) clearTimeout(timer);
    clearTimeout(this.#cutting);
    this.#client.resetAndDestroy();
    this.#server.destroy();
  }

  /** Reads from a side only while what it sends can go on: the kernel keeps the rest, and in the end the sender. */
  #flow(): void {
    const held = this.#fault.kind === 'hold' || this.#cutting !== undefined;
    read(this.#client, !held && !this.#server.writableNeedDrain);
    read(this.#server, !held && !this.#client.writableNeedDrain && this.#lateBytes < LATE_BYTES);
  }

  #request(bytes: Buffer): void {
    for (const command of this.#splitter.push(bytes)) this.#forward(command);
    this.#flow();
  }

  #forward(command: RawCommand): void {
    const fault = this.#fault;
    this.#replied = 0;
    if (fault.kind === 'garbage') this.#client.write(GARBAGE);
    else if (fault.kind === 'answer' && (fault.names === 'all' || fault.names.includes(command.name))) {
      this.#server.write(encodeCommand(['EVAL', FAIL_SCRIPT, '0', fault.error]));
    } else this.#server.write(command.bytes);
  }

  #reply(bytes: Buffer): void {
    const fault = this.#fault;
    // Bytes behind delayed ones stay behind them, also when the fault is over.
    if (fault.kind === 'delay' || this.#late.length > 0) {
      this.#later(bytes, fault.kind === 'delay' ? fault.ms : 0);
    } else if (fault.kind === 'cut' && this.#replied + bytes.length > fault.afterBytes) {
      this.#cut(bytes.subarray(0, fault.afterBytes - this.#replied));
    } else this.#answer(bytes);
    this.#flow();
  }

  #answer(bytes: Buffer): void {
    this.#replied += bytes.length;
    this.#client.write(bytes);
  }

  #later(bytes: Buffer, ms: number): void {
    this.#lateBytes += bytes.length;
    const now = performance.now();
    const due = Math.max(now + ms, this.#late.at(-1)?.due ?? 0);
    // Each timer lets the oldest go: timers of nearly the same time don't fire in a sure order.
    this.#late.push({ bytes, due, timer: setTimeout(() => this.#answerOldest(), due - now) });
  }

  #answerOldest(): void {
    const late = this.#late.shift();
    if (late === undefined) return;
    this.#lateBytes -= late.bytes.length;
    this.#answer(late.bytes);
    this.#flow();
  }

  #cut(bytes: Buffer): void {
    this.#answer(bytes);
    this.#cutting = setTimeout(() => this.reset(), RESET_DELAY_MS);
  }
}

function read(socket: Socket, on: boolean): void {
  if (on) socket.resume();
  else socket.pause();
}
