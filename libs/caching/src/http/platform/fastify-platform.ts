import { Readable } from 'node:stream';
import type { OutgoingHttpHeader, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { StoredResponse } from '../../cache/entry.js';
import type { VerdictFields } from '../cache-headers.js';
import type { HeaderBag } from '../header-diff.js';
import type { FrameworkRequest } from '../request-view.js';
import { weakened } from '../semantics/entity-tag.js';
import { type Answer, partOf, statusOf } from '../selected-answer.js';
import type { Substitute, ViewRecording } from '../view-recording.js';
import {
  givenField,
  onHeadComplete,
  parseWriteHead,
  readHead,
  reasonOf,
  type WriteHeadParameters,
} from './head.js';
import {
  conditionsOf,
  fieldsToRemove,
  type Hidden,
  hideConditionals,
  sendAnswer,
  showConditionals,
} from './conditionals.js';
import {
  closeRecording,
  type FrameworkResponse,
  type HttpPlatform,
  endWithBody,
  onExchangeClose,
  joinMembers,
  putHead,
  type Recorded,
  type RecordOptions,
  sendSubstitute,
} from './platform.js';
import { teeInto, toReadable } from './recorded-stream.js';
import { appendToPayload, type PageTail } from './page-tail.js';
import { replaceMethod } from './replace-method.js';

/** The part of Fastify's reply that is used here, so that the library needs no Fastify to compile or to load. */
interface Reply {
  readonly raw: ServerResponse;
  readonly statusCode: number;
  /** There where `@fastify/compress` is. */
  readonly compress?: unknown;
  code(status: number): Reply;
  header(name: string, value: unknown): Reply;
  getHeader(name: string): OutgoingHttpHeader | undefined;
  getHeaders(): OutgoingHttpHeaders;
  removeHeader(name: string): Reply;
  hijack(): Reply;
  send(payload?: unknown): Reply;
}

type OnSend = (
  request: unknown,
  reply: Reply,
  payload: unknown,
  done: (error?: unknown, payload?: unknown) => void,
) => void;

export interface FastifyInstance {
  addHook(name: 'onSend', hook: OnSend): unknown;
}

interface RecordedReply extends Recorded {
  readonly request: FrameworkRequest;
  readonly rawHandler: boolean;
  /** Of node's response alone, where the handler may write to that past the reply, whose fields then never leave. */
  readonly rawBefore: HeaderBag | undefined;
  hidden: Hidden;
  /** What the hooks were given of a body that was recorded whole: its bytes are there already. */
  text: string | undefined;
}

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
  show(recorded);
  if (recorded.recording.opened || recorded.rawHandler) recorded.recording.fail();
}

function show(recorded: RecordedReply): void {
  if (recorded.hidden === undefined) return;
  showConditionals(recorded.request.headers, recorded.hidden);
  recorded.hidden = undefined;
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
  show(recorded);
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
  reply.raw.statusMessage = '';
  putReplyHead(reply, stored, fields);
  return stored.body ?? null;
}

/** What is stored of a response's head onto Fastify's reply. */
function putReplyHead(reply: Reply, stored: StoredResponse, fields: VerdictFields): void {
  reply.code(stored.status);
  if (stored.statusMessage !== undefined) reply.raw.statusMessage = stored.statusMessage;
  for (const name of stored.removed) reply.removeHeader(name);
  for (const [name, value, add] of stored.headers) {
    reply.header(name, add === undefined ? value : joinMembers(reply.getHeader(name), value));
  }
  for (let at = 0; at < fields.length; at += 2) reply.header(fields[at] as string, fields[at + 1]);
}

/** The head is the last moment at which later hooks' cookies show and the verdict can be told. */
function watchHead(raw: ServerResponse, recorded: RecordedReply): void {
  const { recording, rawBefore } = recorded;
  const { writeHead } = raw;
  const lateField = (name: string): HeaderBag[string] => raw.getHeader(name);
  const tell = (): VerdictFields => {
    const fields = recording.fields();
    for (let at = 0; at < fields.length; at += 2)
      raw.setHeader((fields[at] as string).toLowerCase(), fields[at + 1] as string);
    return fields;
  };
  // Express middleware on Fastify adds its cookie inside `writeHead`.
  if (recording.tells) {
    onHeadComplete(raw, () => {
      if (recording.noteLate(lateField)) tell();
    });
  }
  replaceMethod(raw, 'writeHead', (...args: WriteHeadParameters) => {
    if (!recording.ended) {
      if (!recording.opened)
        recording.open({ ...readHead(raw, parseWriteHead(args), 'raw'), before: rawBefore });
      recording.noteLate((name) => givenField(args, name) ?? raw.getHeader(name));
    }
    if (recording.tells && tell().includes('Server-Timing')) dropGivenTiming(args);
    weakenGivenTag(args);
    writeHead.apply(raw, args as never);
    if (recording.closed && !recording.ended) {
      recording.noteLate(lateField);
      recording.settle();
    }
    sendRecorded(raw, recorded);
    return raw;
  });
}

/**
 * Unless a later hook has changed the body, node is given the bytes that were recorded in place of their text, which it
 * would encode once more.
 */
function sendRecorded(raw: ServerResponse, { text, recording: { body } }: RecordedReply): void {
  if (text === undefined || body === undefined) return;
  const { end } = raw;
  replaceMethod(raw, 'end', ((chunk: unknown, ...rest: unknown[]) =>
    end.call(raw, chunk === text ? body : chunk, ...(rest as [never, never]))) as typeof end);
}

/** For handlers that write to node's response themselves, past the `onSend` hooks. */
function watchRawBody(raw: ServerResponse, recorded: RecordedReply): void {
  const { recording, request, rawBefore } = recorded;
  const { write, end } = raw;
  const openRaw = (): void => {
    if (recording.opened) return;
    recording.open({ ...readHead(raw, undefined, 'raw'), before: rawBefore });
  };
  let isReplaced = false;
  replaceMethod(raw, 'write', ((...args: Parameters<typeof write>) => {
    if (isReplaced) return true;
    const isFirst = !recording.opened;
    openRaw();
    const substitute = isFirst && !raw.headersSent ? recording.rescue() : undefined;
    if (substitute !== undefined) {
      isReplaced = true;
      recording.cut();
      sendSubstitute(raw, recording.before, substitute, end);
      return true;
    }
    if (recording.delivery === 'raw') recording.push(args[0], args[1]);
    return write.apply(raw, args);
  }) as typeof write);
  replaceMethod(raw, 'end', ((...args: Parameters<typeof end>) => {
    if (isReplaced) return raw;
    openRaw();
    show(recorded);
    let answer: Answer = { kind: 'full' };
    if (recording.delivery === 'raw' && !recording.closed) {
      const isUnsent = !raw.headersSent;
      const [chunk, encoding] = args as unknown[];
      if (typeof chunk !== 'function') recording.push(chunk, encoding);
      closeRecording(recording, isUnsent, false);
      const substitute = isUnsent ? recording.rescue() : undefined;
      if (substitute !== undefined) {
        sendSubstitute(raw, recording.before, substitute, end);
        recording.settle();
        return raw;
      }
      if (isUnsent) {
        if (recording.etag !== undefined) raw.setHeader('ETag', recording.etag);
        answer = recording.answerTo(conditionsOf(request));
      }
    }
    if (answer.kind === 'full') end.apply(raw, args);
    else sendAnswer(raw, answer, recording.body, end);
    recording.settle();
    return raw;
  }) as typeof end);
}

/** `@fastify/compress` acts behind the cache; its field shows in what Fastify gives to `writeHead`. */
function weakenWhenCoded(raw: ServerResponse): void {
  const { writeHead } = raw;
  replaceMethod(raw, 'writeHead', (...args: WriteHeadParameters) => {
    weakenGivenTag(args);
    return writeHead.apply(raw, args as never);
  });
}

function weakenGivenTag([, given]: WriteHeadParameters): void {
  if (typeof given !== 'object' || given === null) return;
  const fields = given as Record<string, HeaderBag[string]>;
  if (typeof fields.etag === 'string' && fields['content-encoding'] !== undefined)
    fields.etag = weakened(fields.etag);
}

/** What the handler says of its times is part of the field that was set, over which what is given would win. */
function dropGivenTiming([, given]: WriteHeadParameters): void {
  if (typeof given !== 'object' || given === null) return;
  delete (given as Record<string, unknown>)['server-timing'];
}

function sendRaw(reply: Reply, stored: StoredResponse, fields: VerdictFields): void {
  const { raw } = reply.hijack();
  putHead(raw, stored, fields);
  endWithBody(raw, stored);
}
