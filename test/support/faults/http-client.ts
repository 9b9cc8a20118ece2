import { Agent, request as httpRequest } from 'node:http';

/** A request that takes longer has failed. Milliseconds. */
const TOO_LONG = 10_000;

export interface Answer {
  readonly status: number;
  /** Of `X-Cache`. */
  readonly verdict: string | undefined;
  readonly text: string;
}

/** Requests on connections that are kept, as behind a load balancer. */
export class HttpClient {
  readonly #agent = new Agent({ keepAlive: true });

  /** @throws Error where there was no whole response within ten seconds */
  ask(port: number, method: string, path: string): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const request = httpRequest(
        { host: '127.0.0.1', port, method, path, agent: this.#agent, timeout: TOO_LONG },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.once('error', reject);
          response.once('end', () =>
            resolve({
              status: response.statusCode ?? 0,
              verdict: response.headers['x-cache'] as string | undefined,
              text: Buffer.concat(chunks).toString(),
            }),
          );
        },
      );
      request.once('timeout', () =>
        request.destroy(new Error(`${method} ${path}: no answer within ${TOO_LONG} ms`)),
      );
      request.once('error', reject);
      request.end();
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}
