import { setReason } from './head.js';
import type { PageTail } from './page-tail.js';
import { replaceMethod } from './replace-method.js';
import type { OutgoingHttpHeader, ServerResponse } from 'node:http';
import { Logger, StreamableFile } from '@nestjs/common';
import type { StoredResponse } from '../../cache/entry.js';
import { isPromiseLike, type MaybePromise } from '../../cache/maybe-promise.js';
import type { HeaderBag } from '../header-diff.js';
import type { VerdictFields } from '../cache-headers.js';
import type { FrameworkRequest } from '../request-view.js';
import type { Substitute, ViewRecording } from '../view-recording.js';

/** A framework's own response object. Only the platforms look inside. */
export type FrameworkResponse = object;

/** The part of Nest's HTTP adapter through which all replies of handlers go. */
export interface ReplyingAdapter {
  getType(): string;
  getInstance(): unknown;
  getHttpServer(): unknown;
  reply(response: FrameworkResponse, body: unknown, statusCode?: number): unknown;
  render(response: FrameworkResponse, view: string, options: unknown): unknown;
  redirect(response: FrameworkResponse, statusCode: number, url: string): unknown;
}

export interface RecordOptions {
  /** The handler answers through `@Res()` and may write past the framework. */
  readonly rawHandler: boolean;
  /** Makes the recording, given the fields that the response has already. */
  readonly recording: (before: HeaderBag) => ViewRecording;
}

/** What the cache needs from Express or Fastify: the sole user of their requests and responses. */
export interface HttpPlatform {
  readonly name: 'express' | 'fastify';
  /** Records the response to `request` until it has been sent, hiding conditional headers from the handler. */
  record(request: FrameworkRequest, response: FrameworkResponse, options: RecordOptions): ViewRecording;
  /** Sends a stored response now. */
  send(
    request: FrameworkRequest,
    response: FrameworkResponse,
    stored: StoredResponse,
    fields: VerdictFields,
  ): void;
  /** Adds fields to a response that the handler will send. */
  setFields(response: FrameworkResponse, fields: VerdictFields): void;
  /** The value that a field of the response has by now. */
  field(response: FrameworkResponse, name: string): OutgoingHttpHeader | undefined;
  /** Node's response behind the framework's. */
  node(response: FrameworkResponse): ServerResponse;
  /** Whether what is sent to this client may be given a content coding further on, a part of a body included. */
  codesParts(request: FrameworkRequest, response: FrameworkResponse): boolean;
  /** Whether the client has left. */
  isGone(response: FrameworkResponse): boolean;
  /** Adds to a response that turns out to be a page, behind what records it. Before anything is written. */
  appendToPage(response: FrameworkResponse, tail: PageTail): void;
  /** What is being recorded of a response, if anything. */
  recorded(response: FrameworkResponse): Recorded | undefined;
}

/** A response that is being recorded. */
export interface Recorded {
  readonly recording: ViewRecording;
  /**
   * Nest is sending a reply right now, and catches what is thrown: `'value'` where the framework makes the body out
   * of an object, so that nobody else has its bytes.
   */
  replying: false | 'value' | 'bytes';
}

/** A stored response that waits for Nest to reply. */
interface Replay {
  readonly request: FrameworkRequest;
  readonly stored: StoredResponse;
  readonly fields: VerdictFields;
}

const WRAPPED = Symbol('nestjs-caching.wrapped');

/**
 * Beside the responses rather than on them: on Express each response has a hidden class of its own, which a new
 * property copies, and all that was known of it has to be looked up again. This makes a hit 5 % cheaper.
 */
const replays = new WeakMap<FrameworkResponse, Replay>();

/**
 * Has the stored response sent when Nest replies to the request, in place of whatever it would have sent then:
 * outer code may still set headers, and `@Redirect` and `@Render` can't send twice.
 */
export function armReplay(
  request: FrameworkRequest,
  response: FrameworkResponse,
  stored: StoredResponse,
  fields: VerdictFields,
): void {
  replays.set(response, { request, stored, fields });
}

/** A stream that fails is ended by Nest as if it were complete; the recording has to know before that. */
function watchStream(recording: ViewRecording, body: StreamableFile): void {
  const stream = body.getStream();
  if (stream.errored) recording.cut();
  stream.once('error', () => recording.cut());
  // Nest destroys it where the client has left, maybe before the first byte.
  stream.once('close', () => {
    if (!stream.readableEnded) recording.fail();
  });
}

/**
 * Ends a recording's body. What the route's `filter` throws is the request's error while Nest replies, as then its
 * exception filters answer; where the handler writes by itself, or a stream ends, nobody would catch it and the
 * process would end: there it is logged.
 *
 * @param isUnsent nothing of the response has left
 */
export function closeRecording(recording: ViewRecording, isUnsent: boolean, isReplying: boolean): void {
  try {
    recording.close(isUnsent);
  } catch (error) {
    if (isReplying) throw error;
    new Logger('CachingModule').error(error);
  }
}

/** Puts the replay of stored responses in front of an adapter's own ways to answer. Once per adapter. */
export function wrapAdapter(adapter: ReplyingAdapter & { [WRAPPED]?: true }, platform: HttpPlatform): void {
  if (adapter[WRAPPED]) return;
  adapter[WRAPPED] = true;
  const replayed = (response: FrameworkResponse): boolean => {
    const replay = replays.get(response);
    if (replay === undefined) return false;
    replays.delete(response);
    platform.send(replay.request, response, replay.stored, replay.fields);
    return true;
  };
  const { reply, render, redirect } = adapter;
  adapter.reply = (response, body, status) => {
    if (replayed(response)) return undefined;
    const recorded = platform.recorded(response);
    if (recorded === undefined) return reply.call(adapter, response, body, status);
    if (body instanceof StreamableFile) watchStream(recorded.recording, body);
    recorded.replying = isValue(body) ? 'value' : 'bytes';
    try {
      return reply.call(adapter, response, body, status);
    } finally {
      recorded.replying = false;
    }
  };
  adapter.render = (response, view, options) =>
    replayed(response) ? undefined : render.call(adapter, response, view, options);
  adapter.redirect = (response, status, url) => {
    if (replayed(response)) return undefined;
    const recorded = platform.recorded(response);
    if (recorded === undefined) return redirect.call(adapter, response, status, url);
    recorded.replying = 'bytes';
    try {
      return redirect.call(adapter, response, status, url);
    } finally {
      recorded.replying = false;
    }
  };
}

/** What a framework serialises. */
function isValue(body: unknown): boolean {
  return (
    typeof body === 'object' &&
    body !== null &&
    !ArrayBuffer.isView(body) &&
    !(body instanceof StreamableFile)
  );
}

/** Adds a handler's members of a list field to those that middleware has begun with, in lines as the handler had them. */
export function joinMembers(
  present: OutgoingHttpHeader | undefined,
  added: string | readonly string[],
): string | string[] {
  if (present === undefined) return typeof added === 'string' ? added : [...added];
  if (typeof added === 'string' && !Array.isArray(present)) return `${String(present)}, ${added}`;
  return [present, added].flat().map(String);
}

/** Adds fields to a response whose head has not left yet. */
export function setNodeFields(res: ServerResponse, fields: VerdictFields): void {
  if (fields.length === 0 || res.headersSent) return;
  for (let at = 0; at < fields.length; at += 2) res.setHeader(fields[at] as string, fields[at + 1] as string);
}

/** Puts what is stored of a response's head onto node's response. */
export function putHead(res: ServerResponse, stored: StoredResponse, fields: VerdictFields): void {
  for (const name of stored.removed) res.removeHeader(name);
  for (const [name, value, add] of stored.headers) {
    res.setHeader(name, add === undefined ? value : joinMembers(res.getHeader(name), value));
  }
  for (let at = 0; at < fields.length; at += 2) res.setHeader(fields[at] as string, fields[at + 1] as string);
  res.statusCode = stored.status;
  if (stored.statusMessage !== undefined) setReason(res, stored.statusMessage);
}

/**
 * Calls `act` when the exchange is over, be it that its client has left. Node tells nothing to a response that waits for
 * its turn behind others on its connection, only to its request.
 */
export function onExchangeClose(res: ServerResponse, act: (this: ServerResponse) => void): void {
  res.on('close', act);
  if (res.socket === null) res.req.once('close', () => act.call(res));
}

/** Takes back what a handler has done to a response's head since its recording began. */
export function restoreHead(res: ServerResponse, before: HeaderBag): void {
  for (const name of res.getHeaderNames()) {
    if (before[name] === undefined) res.removeHeader(name);
  }
  for (const name in before) {
    const value = before[name];
    if (value !== undefined && res.getHeader(name) !== value) res.setHeader(name, value);
  }
  setReason(res, '');
}

/** Sends a stored response in place of the one that a handler has made, of which nothing has left. */
export function sendSubstitute(
  res: ServerResponse,
  before: HeaderBag,
  { stored, fields }: Substitute,
  end: ServerResponse['end'],
): void {
  restoreHead(res, before);
  putHead(res, stored, fields);
  const { body, status } = stored;
  if (body !== undefined && status !== 204 && !res.hasHeader('content-length'))
    res.setHeader('Content-Length', body.length);
  end.call(res, body, 'utf8');
}

/** Sends the stored body. RFC 9110 §8.6: a 204 has no length. */
export function endWithBody(res: ServerResponse, { body, status }: StoredResponse): void {
  if (body !== undefined && status !== 204 && !res.hasHeader('content-length')) {
    res.setHeader('Content-Length', body.length);
  }
  res.end(body);
}

/**
 * Holds the end of a response back until `before` is done: whoever has the whole reply sees what it did. Where the
 * client leaves before the end, `before` runs then, and again should there be an end after all.
 */
export function holdEnd(response: ServerResponse, before: () => MaybePromise<unknown>): void {
  const { end } = response;
  let isEnding = false;
  let pending: MaybePromise<unknown>;
  response.end = ((...args: Parameters<typeof end>) => {
    const finish = (): ServerResponse => {
      response.end = end;
      return end.apply(response, args);
    };
    // In their order, should there be several: node takes a second end for nothing, unless it overtakes the first.
    if (!isEnding) {
      isEnding = true;
      pending = before();
    }
    if (!isPromiseLike(pending)) return finish();
    void pending.then(finish, finish);
    return response;
  }) as typeof end;
  response.once('close', () => {
    if (!isEnding) void before();
  });
}

/**
 * Runs `act` before anything of a response may leave: its head, and each part of its body that is written. Whoever
 * was told the length needs no end to know that the reply is complete.
 */
export function beforeEachPart(response: ServerResponse, act: () => MaybePromise<unknown>): void {
  const { write, writeHead } = response;
  replaceMethod(response, 'writeHead', ((...args: Parameters<typeof writeHead>) => {
    void act();
    return writeHead.apply(response, args);
  }) as typeof writeHead);
  replaceMethod(response, 'write', ((...args: Parameters<typeof write>) => {
    if (response.hasHeader('content-length')) void act();
    return write.apply(response, args);
  }) as typeof write);
}
