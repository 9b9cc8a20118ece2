import type { ServerResponse } from 'node:http';
import type { VerdictFields } from '../cache-headers.js';
import type { HeaderBag } from '../header-diff.js';
import type { Answer } from '../selected-answer.js';
import { weakened } from '../semantics/entity-tag.js';
import { conditionsOf, sendAnswer, showConditionals } from './conditionals.js';
import type { RecordedReply } from './fastify-reply.js';
import { givenField, onHeadComplete, parseWriteHead, readHead, type WriteHeadParameters } from './head.js';
import { closeRecording, sendSubstitute } from './platform.js';
import { replaceMethod } from './replace-method.js';

/** What was hidden of the request from the handler is shown again. */
export function unhide(recorded: RecordedReply): void {
  if (recorded.hidden === undefined) return;
  showConditionals(recorded.request.headers, recorded.hidden);
  recorded.hidden = undefined;
}

/** The head is the last moment at which later hooks' cookies show and the verdict can be told. */
export function watchHead(raw: ServerResponse, recorded: RecordedReply): void {
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
      if (!recording.opened) {
        recording.open({ ...readHead(raw, parseWriteHead(args), 'raw'), before: rawBefore });
        recording.headLeaves();
      }
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
export function watchRawBody(raw: ServerResponse, recorded: RecordedReply): void {
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
    if (recording.delivery === 'raw') {
      if (isFirst) recording.headLeaves();
      recording.push(args[0], args[1]);
    }
    return write.apply(raw, args);
  }) as typeof write);
  replaceMethod(raw, 'end', ((...args: Parameters<typeof end>) => {
    if (isReplaced) return raw;
    openRaw();
    unhide(recorded);
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
export function weakenWhenCoded(raw: ServerResponse): void {
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
