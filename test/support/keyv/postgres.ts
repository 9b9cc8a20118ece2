import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { PGlite } from '@electric-sql/pglite';
import { fromNodeSocket } from 'pg-gateway/node';

export interface Postgres {
  /** For one connection at a time: the server within has one session. */
  readonly uri: string;
  close(): Promise<void>;
}

/** PostgreSQL itself, in this process, behind its wire protocol on a loopback port. */
export async function startPostgres(): Promise<Postgres> {
  const database = await PGlite.create();
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy()).on('close', () => sockets.delete(socket));
    void fromNodeSocket(socket, {
      serverVersion: '17.0',
      auth: { method: 'trust' },
      onMessage: (message, { isAuthenticated }) =>
        isAuthenticated ? database.execProtocolRaw(message) : undefined,
    }).catch(() => socket.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    uri: `postgresql://postgres@127.0.0.1:${(server.address() as AddressInfo).port}/postgres`,
    close: async () => {
      server.close();
      for (const socket of sockets) socket.destroy();
      await database.close();
    },
  };
}
