// @ts-check
// A program of its own that knows nothing of Nest or of the cache, as a model behind HTTP would be. It is plain
// JavaScript so that the application can start it from its sources as well as from its build.
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { statisticsOf } from './statistics.js';

const server = createServer((request, response) => {
  answer(request).then(
    ({ status, body }) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    },
    (/** @type {unknown} */ error) => {
      response
        .writeHead(400, { 'content-type': 'application/json' })
        .end(JSON.stringify({ error: String(error) }));
    },
  );
});

/**
 * @param {import('node:http').IncomingMessage} request
 * @returns {Promise<{ status: number, body: unknown }>}
 */
async function answer(request) {
  if (request.method !== 'POST' || request.url !== '/statistics')
    return { status: 404, body: { error: 'Not found' } };
  const posted = /** @type {{ text?: unknown }} */ (JSON.parse(await text(request)));
  if (typeof posted.text !== 'string') return { status: 400, body: { error: 'text must be a string' } };
  const statistics = statisticsOf(posted.text);
  if (statistics === undefined) return { status: 422, body: { error: 'There are no words in that text' } };
  return { status: 200, body: statistics };
}

server.listen(Number(process.env.MODEL_PORT ?? 0), '127.0.0.1', () => {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The model service has no port');
  const url = `http://127.0.0.1:${address.port}`;
  if (process.send) process.send({ url });
  else process.stdout.write(`Model service on ${url}\n`);
});

// The channel closes when the parent goes, however it goes: nothing is left behind.
process.once('disconnect', () => process.exit(0));
