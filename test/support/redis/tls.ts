import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generate } from 'selfsigned';
import { freePort } from './free-port.js';
import { type RedisServer, startRedis } from './redis-server.js';

/** A server that speaks TLS on a port of its own, with a certificate that signs itself. */
export interface TlsRedis {
  readonly server: RedisServer;
  readonly port: number;
  /** Path of the certificate, which is its own authority. */
  readonly caFile: string;
  readonly ca: string;
  close(): Promise<void>;
}

export async function startTlsRedis(requirepass: string): Promise<TlsRedis> {
  const { private: key, cert } = await generate([{ name: 'commonName', value: 'localhost' }], {
    extensions: [
      { name: 'basicConstraints', cA: true },
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: 'localhost' },
          { type: 7, ip: '127.0.0.1' },
        ],
      },
    ],
  });
  const folder = await mkdtemp(join(tmpdir(), 'nestjs-caching-tls-'));
  const keyFile = join(folder, 'key.pem');
  const caFile = join(folder, 'cert.pem');
  await writeFile(keyFile, key);
  await writeFile(caFile, cert);
  const port = await freePort();
  const server = await startRedis({
    requirepass,
    args: [
      ['--tls-port', String(port)],
      ['--tls-cert-file', caFile],
      ['--tls-key-file', keyFile],
      ['--tls-ca-cert-file', caFile],
      ['--tls-auth-clients', 'no'],
    ].flat(),
  });
  return {
    server,
    port,
    caFile,
    ca: cert,
    close: async () => {
      await server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
