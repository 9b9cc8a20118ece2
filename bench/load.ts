import autocannon, { type Options, type Result } from 'autocannon';

export const CONNECTIONS = 50;

/** What a request is given before it counts as lost, in seconds. */
const TIMEOUT = 10;

/** A response has at most so many bytes beside its body. */
const MAX_HEAD = 1_000;

/** When a run is ended in any case; it is no measurement then. */
const MAX_SECONDS = 60;

export interface Load {
  readonly port: number;
  /** The target of all requests, or of the next one. */
  readonly target: string | (() => string);
  readonly bodyLength: number;
}

export interface LoadResult {
  readonly requests: number;
  readonly perSecond: number;
  /** What went wrong; a run in which something did is no measurement. */
  readonly problem: string | undefined;
}

/** So many requests, or as many as come back within so many seconds. */
export type Extent = { readonly requests: number } | { readonly seconds: number };

/** Sends requests over 50 keep-alive connections, each its next one as soon as it has its answer. */
export async function sendLoad({ port, target, bodyLength }: Load, extent: Extent): Promise<LoadResult> {
  let wrongLength = 0;
  const startedAt = performance.now();
  let lastAt = startedAt;
  const result = await fire({
    url: `http://127.0.0.1:${port}${typeof target === 'string' ? target : '/'}`,
    connections: CONNECTIONS,
    timeout: TIMEOUT,
    sampleInt: 20,
    ...('requests' in extent ? { amount: extent.requests } : { duration: extent.seconds }),
    ...(typeof target === 'function' && {
      requests: [
        {
          method: 'GET',
          setupRequest: (request) => {
            request.path = target();
            return request;
          },
        },
      ],
    }),
    setupClient: (client) =>
      client.on('response', (_status, bytes) => {
        lastAt = performance.now();
        if (bytes < bodyLength || bytes > bodyLength + MAX_HEAD) wrongLength++;
      }),
  });
  const ok = result['2xx'];
  const problems = [
    [result.errors, 'errors'],
    [result.timeouts, 'timeouts'],
    [result.non2xx, 'responses that are not 2xx'],
    [wrongLength, 'responses of a wrong length'],
    ['requests' in extent ? extent.requests - ok : 0, 'requests without a response'],
  ] as const;
  const found = problems.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`);
  return {
    requests: ok,
    perSecond: (ok * 1000) / (lastAt - startedAt),
    problem: found.length === 0 ? undefined : found.join(', '),
  };
}

function fire(options: Options): Promise<Result> {
  return new Promise((resolve, reject) => {
    const running = autocannon(options, (error: Error | null, result) => {
      clearTimeout(stop);
      if (error) reject(error);
      else resolve(result);
    });
    const stop = setTimeout(() => running.stop(), MAX_SECONDS * 1000);
  });
}
