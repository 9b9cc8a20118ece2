import { Readable } from 'node:stream';
import type { OutgoingHttpHeader, ServerResponse } from 'node:http';
import type { StoredResponse } from '../../cache/entry.js';
import type { VerdictFields } from '../cache-headers.js';
import type { FrameworkRequest } from '../request-view.js';
import { type Answer, partOf, statusOf } from '../selected-answer.js';
import type { Substitute, ViewRecording } from '../view-recording.js';
import { conditionsOf, fieldsToRemove, hideConditionals } from './conditionals.js';
import type { FastifyInstance, OnSend, RecordedReply, Reply } from './fastify-reply.js';
import { unhide, watchHead, watchRawBody, weakenWhenCoded } from './fastify-wire.js';
import { reasonOf, setReason } from './head.js';
import { appendToPayload, type PageTail } from './page-tail.js';
import {
  endWithBody,
  type FrameworkResponse,
  type HttpPlatform,
  joinMembers,
  onExchangeClose,
  putHead,
  type Recorded,
  type RecordOptions,
} from './platform.js';
import { teeInto, toReadable } from './recorded-stream.js';

/** What is to be added to replies, should they be pages. */
const tails = new WeakMap<FrameworkResponse, PageTail>();

type Done = Parameters<OnSend>[3];

/** Adds to what the recorder hands on. */
function withTail(reply: Reply, payload: unknown, done: Done): Done {
  const tail = tails.get(reply);
  if (tail === undefined) return done;
  return (error, sent) =>
    done(error, error ? sent : appendToPayload(reply, sent === undefined ? payload : sent, tail));
}

type WebBody = ConstructorParameters<typeof Response>[0];

const RECORDED = Symbol('nestjs-caching.recorded');
const WITHOUT_TYPE = Symbol('nestjs-caching.without-type');

type Marked = ServerResponse & { [RECORDED]?: RecordedReply; [WITHOUT_TYPE]?: true };

/**
 * Fastify hands every reply to its `onSend` hooks. Ours is the first of them, added before the application's own,
 * so it sees the body before compression and before another hook's headers, which act on each hit again.
 */
export class FastifyPlatform implements HttpPlatform {
  readonly name = 'fastify';
  /** Whether anything was ever to be added to a page. */
  #hasTails = false;

  constructor(instance: FastifyInstance) {
    instance.addHook('onSend', (_request, reply, payload, done) =>
      onSend(reply, payload, this.#hasTails ? withTail(reply, payload, done) : done),
    );
  }

  appendToPage(response: FrameworkResponse, tail: PageTail): void {
    this.#hasTails = true;
    tails.set(response, tail);
  }

  node(response: FrameworkResponse): ServerResponse {
    return (response as Reply).raw;
  }

  field(response: FrameworkResponse, name: string): OutgoingHttpHeader | undefined {
    const reply = response as Reply;
    return reply.getHeader(name) ?? reply.raw.getHeader(name);
  }

  /** `@fastify/compress` leaves them alone. */
  codesParts(): boolean {
    return false;
  }

  isGone(response: FrameworkResponse): boolean {
    return this.node(response).req.socket.destroyed;
  }

  setFields(response: FrameworkResponse, fields: VerdictFields): void {
    for (let at = 0; at < fields.length; at += 2)
      (response as Reply).header(fields[at] as string, fields[at + 1]);
  }

  send(
    _request: FrameworkRequest,
    response: FrameworkResponse,
    stored: StoredResponse,
    fields: VerdictFields,
  ): void {
    const reply = response as Reply;
    if (reply.raw.headersSent || reply.raw.writableEnded) return;
    if (stored.delivery === 'raw') return sendRaw(reply, stored, fields);
    putReplyHead(reply, stored, fields);
    if (typeof reply.compress === 'function') weakenWhenCoded(reply.raw);
    // Fastify names a type for a Buffer that has none; the handler's own bytes went without.
    if (stored.body !== undefined && reply.getHeader('content-type') === undefined)
      (reply.raw as Marked)[WITHOUT_TYPE] = true;
    reply.send(stored.body);
  }

  record(request: FrameworkRequest, response: FrameworkResponse, options: RecordOptions): ViewRecording {
    const reply = response as Reply;
    const raw = reply.raw as Marked;
    const recording = options.recording(reply.getHeaders());
    const recorded: RecordedReply = {
      recording,
      replying: false,
      request,
      rawHandler: options.rawHandler,
      rawBefore: options.rawHandler ? raw.getHeaders() : undefined,
      hidden: hideConditionals(request.headers),
      text: undefined,
    };
    raw[RECORDED] = recorded;
    watchHead(raw, recorded);
    if (options.rawHandler) watchRawBody(raw, recorded);
    onExchangeClose(raw, onClose);
    return recording;
  }

  recorded(response: FrameworkResponse): Recorded | undefined {
    return ((response as Reply).raw as Marked)[RECORDED];
  }
}

function onClose(this: ServerResponse): void {
  const recorded = (this as Marked)[RECORDED];
  if (recorded === undefined) return;
  unhide(recorded);
  const { recording, rawHandler } = recorded;
  recording.over(recording.opened || rawHandler);
}

function onSend(reply: Reply, payload: unknown, done: (error?: unknown, payload?: unknown) => void): void {
  const raw = reply.raw as Marked;
  if (raw[WITHOUT_TYPE] && reply.getHeader('content-type') === 'application/octet-stream') {
    reply.removeHeader('content-type');
  }
  const recorded = raw[RECORDED];
  if (recorded === undefined || recorded.recording.ended) {
    done(null, payload);
    return;
  }
  const { recording } = recorded;
  unhide(recorded);
  // Of a reply that failed on its way there may be one, whose place this one takes.
  recorded.text = undefined;
  // Fastify takes status, fields and body of a web Response only after the hooks.
  const answer = payload instanceof Response && !payload.bodyUsed ? payload : undefined;
  const own = reply.getHeaders();
  const headers = answer ? { ...own, ...Object.fromEntries(answer.headers) } : own;
  recording.open({
    status: answer?.status ?? reply.statusCode,
    statusMessage: reasonOf(raw),
    headers,
    names: Object.keys(headers),
    delivery: 'framework',
  });
  const stream = toReadable(answer ? answer.body : payload);
  if (stream !== undefined) {
    const substitute = recording.rescue();
    if (substitute !== undefined) {
      stream.destroy();
      recording.cut();
      return done(null, takeSubstitute(reply, recording, substitute));
    }
    recording.headLeaves();
    const tee = teeInto(recording, stream, raw);
    done(null, answer ? new Response(Readable.toWeb(tee) as WebBody, answer) : tee);
    return;
  }
  recording.push(answer ? answer.body : payload);
  try {
    recording.close(answer === undefined);
  } catch (error) {
    done(error);
    return;
  }
  const substitute = recording.rescue();
  if (substitute !== undefined) return done(null, takeSubstitute(reply, recording, substitute));
  if (answer !== undefined) return done(null, payload);
  if (recording.etag !== undefined) reply.header('etag', recording.etag);
  const wanted = recording.answerTo(conditionsOf(recorded.request));
  if (wanted.kind !== 'full') return done(null, takeAnswer(reply, recording, wanted));
  if (typeof payload === 'string') recorded.text = payload;
  done(null, payload);
}

/**
 * Has an answer sent in place of the whole response, which has been recorded. Returns its body; `null` for none, as
 * `undefined` leaves Fastify's payload as it was.
 */
function takeAnswer(
  reply: Reply,
  recording: ViewRecording,
  answer: Exclude<Answer, { kind: 'full' }>,
): Buffer | null {
  const hasTag = reply.getHeader('etag') !== undefined;
  for (const name of fieldsToRemove(answer, Object.keys(reply.getHeaders()), hasTag))
    reply.removeHeader(name);
  reply.code(statusOf(answer));
  const part = partOf(recording.body, answer);
  if (answer.kind !== 'not-modified') {
    reply.header('content-range', answer.contentRange);
    reply.header('content-length', String(part?.length ?? 0));
  }
  return part ?? null;
}

/** Has a stored response sent in place of the handler's. Returns its body. */
function takeSubstitute(
  reply: Reply,
  { before }: ViewRecording,
  { stored, fields }: Substitute,
): Buffer | null {
  for (const name of Object.keys(reply.getHeaders())) {
    if (before[name] === undefined) reply.removeHeader(name);
  }
  for (const name in before) if (before[name] !== undefined) reply.header(name, before[name]);
  setReason(reply.raw, '');
  putReplyHead(reply, stored, fields);
  return stored.body ?? null;
}

/** What is stored of a response's head onto Fastify's reply. */
function putReplyHead(reply: Reply, stored: StoredResponse, fields: VerdictFields): void {
  reply.code(stored.status);
  if (stored.statusMessage !== undefined) setReason(reply.raw, stored.statusMessage);
  for (const name of stored.removed) reply.removeHeader(name);
  for (const [name, value, add] of stored.headers) {
    reply.header(name, add === undefined ? value : joinMembers(reply.getHeader(name), value));
  }
  for (let at = 0; at < fields.length; at += 2) reply.header(fields[at] as string, fields[at + 1]);
}

function sendRaw(reply: Reply, stored: StoredResponse, fields: VerdictFields): void {
  const { raw } = reply.hijack();
  putHead(raw, stored, fields);
  endWithBody(raw, stored);
}
