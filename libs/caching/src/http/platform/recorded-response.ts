import type { IncomingMessage, ServerResponse } from 'node:http';
import type { HeaderBag } from '../header-diff.js';
import type { FrameworkRequest } from '../request-view.js';
import { type Answer, type Conditions, withoutRange } from '../selected-answer.js';
import type { Substitute, ViewRecording } from '../view-recording.js';
import {
  onHeadComplete,
  parseWriteHead,
  readHead,
  weakenCodedTag,
  type WriteHeadArguments,
  type WriteHeadParameters,
} from './head.js';
import {
  codesParts,
  conditionsOf,
  type Hidden,
  hideConditionals,
  sendAnswer,
  showConditionals,
} from './conditionals.js';
import { closeRecording, type Recorded, sendSubstitute, setNodeFields } from './platform.js';

export type ExpressRequest = IncomingMessage & FrameworkRequest;

export type Write = ServerResponse['write'];
export type End = ServerResponse['end'];
export type WriteHead = (this: ServerResponse, ...args: WriteHeadParameters) => ServerResponse;

/** What passes through a response's `writeHead`, `write` and `end` on its way into a recording. */
export class RecordedResponse implements Recorded {
  replying: Recorded['replying'] = false;
  #hidden: Hidden;
  /** Something else has been sent: what the handler still writes reaches nobody. */
  #isReplaced = false;

  constructor(
    private readonly res: ServerResponse,
    private readonly request: ExpressRequest,
    readonly recording: ViewRecording,
    private readonly rawHandler: boolean,
    /** Recorded by the methods of its prototype, not by some of its own. */
    readonly byPrototype: boolean,
  ) {
    this.#hidden = hideConditionals(request.headers);
    if (!recording.tells && byPrototype) return;
    onHeadComplete(res, () => {
      // Middleware that has methods of its own on the response may be compression.
      if (!byPrototype) weakenCodedTag(res);
      // A session adds its cookie at the last moment; it changes the verdict.
      if (recording.tells && recording.noteLate((name) => res.getHeader(name))) this.#tell();
    });
  }

  writeHead(writeHead: WriteHead, args: WriteHeadParameters): ServerResponse {
    const { res, recording } = this;
    if (this.#isReplaced) return res;
    if (!recording.opened && !recording.ended) {
      this.#open(parseWriteHead(args));
      if (this.#isRescued()) return res;
      this.#tell();
      recording.headLeaves();
    }
    writeHead.apply(res, args);
    // The head of a body that middleware held back: see `end`.
    if (recording.closed) this.#settle();
    return res;
  }

  write(write: Write, args: Parameters<Write>): boolean {
    const { res, recording } = this;
    if (this.#isReplaced) return true;
    if (!recording.opened) {
      this.#open();
      if (this.#isRescued()) return true;
      this.#tell();
      recording.headLeaves();
    }
    recording.push(args[0], args[1]);
    return write.apply(res, args);
  }

  end(end: End, args: Parameters<End>): ServerResponse {
    const { res, recording } = this;
    if (this.#isReplaced) return res;
    if (recording.closed || recording.ended) return end.apply(res, args);
    const [chunk, encoding] = args as unknown[];
    const isWhole = !recording.opened;
    if (isWhole) this.#open();
    // Express has encoded a body by now, in memory that only this response refers to.
    if (typeof chunk !== 'function') recording.push(chunk, encoding, isWhole && this.replying === 'value');
    let answer: Answer = { kind: 'full' };
    let substitute: Substitute | undefined;
    try {
      closeRecording(recording, isWhole, this.replying !== false);
      if (isWhole) {
        substitute = recording.rescue();
        if (substitute === undefined) answer = recording.answerTo(this.#conditions());
      }
    } finally {
      if (isWhole) this.#tell();
    }
    if (substitute !== undefined) sendSubstitute(res, recording.before, substitute, end);
    else if (answer.kind === 'full') end.apply(res, args);
    else sendAnswer(res, answer, recording.body, end);
    // Middleware may hold the end back, e.g. until its session is saved, and set a cookie then. Where the client
    // has left, no head will be sent.
    if (res.headersSent || res.destroyed) this.#settle();
    return res;
  }

  closed(): void {
    this.#show();
    // A handler that still runs may finish and be stored; a body that was cut, or a handler that writes by
    // itself, won't.
    this.recording.over(this.recording.opened || this.rawHandler);
  }

  #open(head?: WriteHeadArguments): void {
    this.#show();
    this.recording.open(readHead(this.res, head, 'framework'));
  }

  /** Where a handler that fails writes its response in parts, none of which has left. */
  #isRescued(): boolean {
    const { res, recording } = this;
    const substitute = recording.rescue();
    if (substitute === undefined) return false;
    recording.cut();
    // Through `end` of ours, which lets pass what is not recorded any more.
    sendSubstitute(res, recording.before, substitute, res.end);
    this.#isReplaced = true;
    return true;
  }

  #settle(): void {
    const { res, recording } = this;
    if (recording.ended) return;
    recording.noteLate((name): HeaderBag[string] => res.getHeader(name));
    recording.settle();
  }

  #show(): void {
    if (this.#hidden === undefined) return;
    showConditionals(this.request.headers, this.#hidden);
    this.#hidden = undefined;
  }

  #conditions(): Conditions {
    const { res, request } = this;
    const conditions = conditionsOf(request);
    return request.headers.range !== undefined && codesParts(request, res)
      ? withoutRange(conditions)
      : conditions;
  }

  #tell(): void {
    const { recording, res } = this;
    if (recording.etag !== undefined) setNodeFields(res, ['ETag', recording.etag]);
    if (recording.tells) setNodeFields(res, recording.fields());
  }
}
