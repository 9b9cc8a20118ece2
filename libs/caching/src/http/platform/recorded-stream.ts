import type { ServerResponse } from 'node:http';
import { PassThrough, pipeline, Readable, Transform } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import type { ViewRecording } from '../view-recording.js';
import { closeRecording } from './platform.js';

/** A payload that comes in pieces; `undefined` for any other. */
export function toReadable(payload: unknown): Readable | undefined {
  if (typeof payload !== 'object' || payload === null) return undefined;
  if (payload instanceof Readable) return payload;
  if (typeof (payload as Readable).pipe === 'function')
    return pipeline(payload as Readable, new PassThrough(), ignore);
  if (typeof (payload as ReadableStream).getReader === 'function')
    return Readable.fromWeb(payload as ReadableStream);
  return undefined;
}

/** The failure of a pipeline reaches its last stream as well, which is where it is dealt with. */
function ignore(): void {
  return undefined;
}

/** What a stream gives goes into a recording on its way. */
export function teeInto(recording: ViewRecording, source: Readable, raw: ServerResponse): Readable {
  const tee = new Transform({
    transform(chunk: unknown, encoding, next) {
      recording.push(chunk, encoding);
      next(null, chunk);
    },
    flush(next) {
      closeRecording(recording, false, false);
      // Until the head has left, a later hook may still set a cookie: then `watchHead` settles.
      if (raw.headersSent) recording.settle();
      next();
    },
  });
  source.once('error', () => recording.cut());
  return pipeline(source, tee, (error) => {
    if (error) recording.fail();
  });
}
