import type { OutgoingHttpHeader, ServerResponse } from 'node:http';
import type { StoredResponse } from '../../cache/entry.js';
import type { VerdictFields } from '../cache-headers.js';
import type { FrameworkRequest } from '../request-view.js';
import type { ViewRecording } from '../view-recording.js';
import { codesParts } from './conditionals.js';
import { onHeadComplete, weakenCodedTag, type WriteHeadParameters } from './head.js';
import {
  type FrameworkResponse,
  type HttpPlatform,
  endWithBody,
  onExchangeClose,
  putHead,
  type Recorded,
  type RecordOptions,
  setNodeFields,
} from './platform.js';
import {
  type End,
  type ExpressRequest,
  RecordedResponse,
  type Write,
  type WriteHead,
} from './recorded-response.js';
import { appendToResponse, type PageTail } from './page-tail.js';
import { replaceMethod } from './replace-method.js';

/**
 * Express writes to node's response directly, so that is where its responses are recorded: outside `compression`
 * and session middleware, whose own wrappers run behind ours, and act on each hit again.
 */
export class ExpressPlatform implements HttpPlatform {
  readonly name = 'express';

  node(response: FrameworkResponse): ServerResponse {
    return response as ServerResponse;
  }

  field(response: FrameworkResponse, name: string): OutgoingHttpHeader | undefined {
    return this.node(response).getHeader(name);
  }

  codesParts(request: FrameworkRequest, response: FrameworkResponse): boolean {
    return codesParts(request, this.node(response));
  }

  isGone(response: FrameworkResponse): boolean {
    return this.node(response).req.socket.destroyed;
  }

  appendToPage(response: FrameworkResponse, tail: PageTail): void {
    appendToResponse(this.node(response), tail);
  }

  recorded(response: FrameworkResponse): Recorded | undefined {
    return recordings.get(response);
  }

  setFields(response: FrameworkResponse, fields: VerdictFields): void {
    setNodeFields(this.node(response), fields);
  }

  send(
    _request: FrameworkRequest,
    response: FrameworkResponse,
    stored: StoredResponse,
    fields: VerdictFields,
  ): void {
    const res = this.node(response);
    if (res.headersSent || res.writableEnded) return;
    putHead(res, stored, fields);
    // Only middleware that is to act on the head puts a method of its own there, as compression does.
    if (Object.hasOwn(res, 'writeHead')) onHeadComplete(res, () => weakenCodedTag(res));
    endWithBody(res, stored);
  }

  record(request: FrameworkRequest, response: FrameworkResponse, options: RecordOptions): ViewRecording {
    const res = this.node(response);
    const recording = options.recording(res.getHeaders());
    const byPrototype = isWatched(res, request as ExpressRequest);
    const recorded = new RecordedResponse(
      res,
      request as ExpressRequest,
      recording,
      options.rawHandler,
      byPrototype,
    );
    recordings.set(res, recorded);
    if (!byPrototype) watchResponse(res, recorded);
    onExchangeClose(res, onClose);
    return recording;
  }
}

/**
 * Beside the responses rather than on them: on Express each response has a hidden class of its own, so each property
 * that is added to one makes a new class, and all that V8 knew of the response has to be looked up again.
 */
const recordings = new WeakMap<FrameworkResponse, RecordedResponse>();

function onClose(this: ServerResponse): void {
  const recorded = recordings.get(this);
  if (recorded === undefined) return;
  recorded.closed();
  // The client has left, and the handler still runs.
  if (!recorded.recording.ended) return;
  // V8's collector of young objects takes a weak map's values for reachable: left in there, each response, with all
  // that belongs to its request, would become an old object first.
  recordings.delete(this);
}

const WATCHED = Symbol('nestjs-caching.watched');

/** The prototype that an Express application gives to its responses. */
type ResponsePrototype = Pick<ServerResponse, 'write' | 'end'> & {
  writeHead: WriteHead;
  [WATCHED]?: ResponsePrototype;
};

/**
 * Whether all that is written to a response goes through methods of ours on its application's prototype of responses.
 * Not where middleware has put methods of its own in front of these.
 */
function isWatched(res: ServerResponse, request: ExpressRequest): boolean {
  const prototype = Object.getPrototypeOf(res) as ResponsePrototype;
  if (!Object.hasOwn(prototype, WATCHED)) {
    // Only what belongs to one application: not what all of the process share.
    if (prototype !== (request.app as { readonly response?: unknown } | undefined)?.response) return false;
    watchPrototype(prototype);
  }
  const ours = prototype[WATCHED];
  return (
    ours !== undefined &&
    res.write === ours.write &&
    res.end === ours.end &&
    (res.writeHead as unknown) === ours.writeHead
  );
}

/** Records what is written to those of an application's responses that are being recorded. */
function watchPrototype(prototype: ResponsePrototype): void {
  const { write, end, writeHead } = prototype;
  const recordedBy = (res: ServerResponse): RecordedResponse | undefined => {
    const recorded = recordings.get(res);
    return recorded?.byPrototype === true ? recorded : undefined;
  };
  prototype.write = function (this: ServerResponse, ...args: Parameters<Write>) {
    const recorded = recordedBy(this);
    return recorded === undefined ? write.apply(this, args) : recorded.write(write, args);
  } as Write;
  prototype.end = function (this: ServerResponse, ...args: Parameters<End>) {
    const recorded = recordedBy(this);
    return recorded === undefined ? end.apply(this, args) : recorded.end(end, args);
  } as End;
  prototype.writeHead = function (...args) {
    const recorded = recordedBy(this);
    return recorded === undefined ? writeHead.apply(this, args) : recorded.writeHead(writeHead, args);
  };
  prototype[WATCHED] = { write: prototype.write, end: prototype.end, writeHead: prototype.writeHead };
}

/** The same for one response, in front of the methods that it has of its own. */
function watchResponse(res: ServerResponse, recorded: RecordedResponse): void {
  const { write, end } = res;
  const writeHead = res.writeHead as unknown as WriteHead;
  replaceMethod(res, 'writeHead', (...args: WriteHeadParameters) => recorded.writeHead(writeHead, args));
  replaceMethod(res, 'write', ((...args: Parameters<Write>) => recorded.write(write, args)) as Write);
  replaceMethod(res, 'end', ((...args: Parameters<End>) => recorded.end(end, args)) as End);
}
