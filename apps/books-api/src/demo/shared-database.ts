import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { PGlite } from '@electric-sql/pglite';
import { fromNodeSocket } from 'pg-gateway/node';

/** Types of messages after which PostgreSQL answers, and may serve somebody else: `Q`uery and `S`ync. */
const END_OF_QUESTION: ReadonlySet<number | undefined> = new Set([0x51, 0x53]);
const TERMINATE = 0x58;
const ANSWERED_LATER = new Uint8Array();

export interface SharedDatabase {
  /** For `DATABASE_URL`. */
  readonly url: string;
  stop(): Promise<void>;
}

/** One embedded PostgreSQL for several processes: PGlite behind its wire protocol, on a free loopback port. */
export async function shareDatabase(): Promise<SharedDatabase> {
  const db = await PGlite.create();
  const session = new Session(db);
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    // Its end is told by `close`.
    socket.on('error', () => undefined);
    const connection = new Connection(session);
    socket.once('close', () => {
      sockets.delete(socket);
      void connection.end();
    });
    void fromNodeSocket(socket, {
      serverVersion: '17.0',
      onMessage: (message, { isAuthenticated }) =>
        isAuthenticated && message[0] !== TERMINATE ? connection.receive(message) : undefined,
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `postgres://books:books@127.0.0.1:${(server.address() as AddressInfo).port}/postgres`,
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
      await db.close();
    },
  };
}

/** PGlite has a single session: whoever is in a transaction has it alone. */
class Session {
  #free: Promise<void> = Promise.resolve();

  constructor(readonly db: PGlite) {}

  /** Waits for its turn; the result ends it. */
  async acquire(): Promise<() => void> {
    const before = this.#free;
    let release = (): void => undefined;
    this.#free = new Promise((resolve) => (release = resolve));
    await before;
    return release;
  }
}

class Connection {
  #question: Uint8Array[] = [];
  #release: (() => void) | undefined;

  constructor(private readonly session: Session) {}

  /** Messages of one question go in together: those of others between them would change what they mean. */
  async receive(message: Uint8Array): Promise<Uint8Array> {
    // A copy, as the bytes are overwritten by what comes next.
    this.#question.push(message.slice());
    if (!END_OF_QUESTION.has(message[0])) return ANSWERED_LATER;
    const question = Buffer.concat(this.#question);
    this.#question = [];
    this.#release ??= await this.session.acquire();
    const { db } = this.session;
    try {
      return await db.execProtocolRaw(question);
    } finally {
      if (!db.isInTransaction()) this.#leave();
    }
  }

  async end(): Promise<void> {
    if (this.#release === undefined) return;
    await this.session.db.exec('ROLLBACK');
    this.#leave();
  }

  #leave(): void {
    this.#release?.();
    this.#release = undefined;
  }
}
