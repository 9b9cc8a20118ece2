import { Readable } from 'node:stream';
import type { OutgoingHttpHeader, ServerResponse } from 'node:http';
import { weakened } from '../semantics/entity-tag.js';
import { givenField, type WriteHeadParameters } from './head.js';
import { replaceMethod } from './replace-method.js';

/** What is to be added to a page. */
export interface PageTail {
  /** Told the page's Content-Security-Policy, when its head is complete. The same each time for the same page. */
  markup(policy: string | undefined): string;
  /** Fields for the response, a 304 included. */
  fields(): readonly (readonly [name: string, value: string])[];
}

/** Reads a field of a response, wherever it stands. */
type Field = (name: string) => OutgoingHttpHeader | undefined;

/** Whole pages in identity coding and a character set that has ASCII in it; nothing else is touched. */
function isPage(status: number, method: string | undefined, field: Field): boolean {
  return (
    (method === 'GET' || method === 'HEAD') &&
    status >= 200 &&
    status !== 204 &&
    status !== 206 &&
    status !== 304 &&
    /^text\/html\s*(?:;|$)/i.test(String(field('content-type') ?? '')) &&
    !/charset\s*=\s*"?utf-(?:16|32)/i.test(String(field('content-type'))) &&
    field('content-encoding') === undefined
  );
}

function policyOf(field: Field): string | undefined {
  const policy = field('content-security-policy');
  return policy === undefined ? undefined : String(policy);
}

/** For node's response: behind what records it, in front of compression. To be called before either acts. */
export function appendToResponse(res: ServerResponse, tail: PageTail): void {
  const { write, end, writeHead } = res;
  let added: Buffer | undefined;
  let isDecided = false;
  const decide = (args: WriteHeadParameters | undefined): void => {
    if (isDecided) return;
    isDecided = true;
    if (res.headersSent) return;
    const field: Field = (name) => (args && givenField(args, name)) ?? res.getHeader(name);
    const status = args?.[0] ?? res.statusCode;
    const wanted = isPage(status, res.req.method, field);
    if (wanted || status === 304) for (const [name, value] of tail.fields()) res.appendHeader(name, value);
    // A length that the handler gives to `writeHead` is its own word; then the page stays as it is.
    if (!wanted || (args && givenField(args, 'content-length') !== undefined)) return;
    added = Buffer.from(tail.markup(policyOf(field)));
    const length = res.getHeader('content-length');
    if (length !== undefined) res.setHeader('Content-Length', Number(length) + added.length);
    const etag = res.getHeader('etag');
    // RFC 9110 §8.8.3.3: other bytes than the strong one is of.
    if (typeof etag === 'string') res.setHeader('ETag', weakened(etag));
  };
  replaceMethod(res, 'writeHead', (...args: WriteHeadParameters) => {
    decide(args);
    return writeHead.apply(res, args as never);
  });
  replaceMethod(res, 'write', ((...args: Parameters<typeof write>) => {
    decide(undefined);
    return write.apply(res, args);
  }) as typeof write);
  replaceMethod(res, 'end', ((...args: unknown[]) => {
    decide(undefined);
    // What ends twice is node's to judge: it forgives that, where the second time brings no bytes.
    if (added === undefined || res.writableEnded || res.req.method === 'HEAD')
      return end.apply(res, args as never);
    const [chunk, encoding] = args;
    const done = args.find((each) => typeof each === 'function');
    const body =
      typeof chunk === 'string'
        ? Buffer.from(chunk, typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8')
        : chunk instanceof Uint8Array
          ? chunk
          : Buffer.alloc(0);
    return end.apply(res, [Buffer.concat([body, added]), ...(done === undefined ? [] : [done])] as never);
  }) as typeof end);
}

/** What of Fastify's reply is needed. */
export interface TailedReply {
  readonly statusCode: number;
  readonly raw: ServerResponse;
  getHeader(name: string): OutgoingHttpHeader | undefined;
  header(name: string, value: OutgoingHttpHeader): unknown;
}

/** For a payload of Fastify's, in an `onSend` hook: the one after ours that records. */
export function appendToPayload(reply: TailedReply, payload: unknown, tail: PageTail): unknown {
  const field: Field = (name) => reply.getHeader(name) ?? reply.raw.getHeader(name);
  const wanted = isPage(reply.statusCode, reply.raw.req.method, field);
  if (wanted || reply.statusCode === 304) {
    for (const [name, value] of tail.fields())
      reply.header(name, [field(name) ?? [], value].flat().map(String).join(', '));
  }
  const isText = typeof payload === 'string' || payload instanceof Uint8Array;
  if (!wanted || (!isText && !(payload instanceof Readable))) return payload;
  const added = Buffer.from(tail.markup(policyOf(field)));
  const length = reply.getHeader('content-length');
  if (length !== undefined) reply.header('content-length', Number(length) + added.length);
  const etag = reply.getHeader('etag');
  if (typeof etag === 'string') reply.header('etag', weakened(etag));
  if (payload instanceof Readable) return Readable.from(joined(payload, added), { objectMode: false });
  return Buffer.concat([typeof payload === 'string' ? Buffer.from(payload) : payload, added]);
}

async function* joined(page: Readable, added: Buffer): AsyncGenerator<Buffer> {
  for await (const part of page) yield part as Buffer;
  yield added;
}
