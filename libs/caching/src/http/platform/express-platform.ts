import type { IncomingMessage, ServerResponse } from 'node:http';
import type { StoredResponse } from '../../cache/entry.js';
import type { VerdictFields } from '../cache-headers.js';
import type { HeaderBag } from '../header-diff.js';
import type { FrameworkRequest } from '../request-view.js';
import type { ViewRecording } from '../view-recording.js';
import {
  onHeadComplete,
  parseWriteHead,
  readHead,
  type WriteHeadArguments,
  type WriteHeadParameters,
} from './head.js';
import {
  attachRecording,
  closeRecording,
  type FrameworkResponse,
  hideConditionals,
  type HttpPlatform,
  endWithBody,
  putHead,
  type RecordOptions,
} from './platform.js';
import { replaceMethod } from './replace-method.js';

type ExpressRequest = IncomingMessage & FrameworkRequest & { readonly fresh?: boolean };

/**
 * Express writes to node's response directly, so that is where its responses are recorded: outside `compression`
 * and session middleware, whose own wrappers run behind ours, and act on each hit again.
 */
export class ExpressPlatform implements HttpPlatform {
  readonly name = 'express';

  node(response: FrameworkResponse): ServerResponse {
    return response as ServerResponse;
  }

  isGone(response: FrameworkResponse): boolean {
    return this.node(response).req.socket.destroyed;
  }

  setFields(response: FrameworkResponse, fields: VerdictFields): void {
    const res = this.node(response);
    if (res.headersSent) return;
    for (let at = 0; at < fields.length; at += 2)
      res.setHeader(fields[at] as string, fields[at + 1] as string);
  }

  send(
    request: FrameworkRequest,
    response: FrameworkResponse,
    stored: StoredResponse,
    fields: VerdictFields,
  ): void {
    const res = this.node(response);
    if (res.headersSent || res.writableEnded) return;
    putHead(res, stored, fields);
    if (isNotModified(request as ExpressRequest)) sendNotModified(res);
    else endWithBody(res, stored);
  }

  record(request: FrameworkRequest, response: FrameworkResponse, options: RecordOptions): ViewRecording {
    const res = this.node(response);
    const recording = options.recording(res.getHeaders());
    attachRecording(response, recording);
    const restoreConditionals = hideConditionals(request.headers);
    const { write, end, writeHead } = res;

    const open = (head?: WriteHeadArguments): void => {
      restoreConditionals();
      recording.open(readHead(res, head, 'framework'));
    };
    const lateField = (name: string): HeaderBag[string] => res.getHeader(name);
    // A session adds its cookie at the last moment; it changes the verdict.
    onHeadComplete(res, () => {
      if (recording.noteLate(lateField)) this.setFields(res, recording.fields());
    });
    const settle = (): void => {
      recording.noteLate(lateField);
      recording.settle();
    };

    const recordHead = (...args: WriteHeadParameters): ServerResponse => {
      if (!recording.opened) {
        open(parseWriteHead(args));
        this.setFields(res, recording.fields());
      }
      writeHead.apply(res, args as never);
      // The head of a body that middleware held back: see `end`.
      if (recording.closed) settle();
      return res;
    };

    const recordWrite = (...args: Parameters<typeof write>): boolean => {
      if (!recording.opened) {
        open();
        this.setFields(res, recording.fields());
      }
      recording.push(args[0], args[1]);
      return write.apply(res, args);
    };

    const recordEnd = (...args: Parameters<typeof end>): ServerResponse => {
      if (recording.closed || recording.ended) return end.apply(res, args);
      const [chunk, encoding] = args as unknown[];
      const isWhole = !recording.opened;
      if (isWhole) open();
      if (typeof chunk !== 'function') recording.push(chunk, encoding);
      try {
        closeRecording(response, recording);
      } finally {
        if (isWhole) this.setFields(res, recording.fields());
      }
      if (isWhole && isNotModified(request as ExpressRequest)) sendNotModified(res, end);
      else end.apply(res, args);
      // Middleware may hold the end back, e.g. until its session is saved, and set a cookie then. Where the client
      // has left, no head will be sent.
      if (res.headersSent || res.destroyed) settle();
      return res;
    };

    replaceMethod(res, 'writeHead', recordHead);
    replaceMethod(res, 'write', recordWrite as typeof write);
    replaceMethod(res, 'end', recordEnd as typeof end);

    res.once('close', () => {
      restoreConditionals();
      // A handler that still runs may finish and be stored; a body that was cut, or a handler that writes by
      // itself, won't.
      if (recording.opened || options.rawHandler) recording.fail();
    });
    return recording;
  }
}

/** Express' own test of `If-None-Match` and `If-Modified-Since` against the response's headers and status. */
function isNotModified(request: ExpressRequest): boolean {
  const { headers } = request;
  if (headers['if-none-match'] === undefined && headers['if-modified-since'] === undefined) return false;
  return request.fresh === true;
}

/** As `res.send` does it. */
function sendNotModified(res: ServerResponse, end = res.end): void {
  res.statusCode = 304;
  for (const name of ['Content-Type', 'Content-Length', 'Transfer-Encoding']) res.removeHeader(name);
  end.call(res, undefined, 'utf8');
}
